"""Scripts where pmacct's quick start has them."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("lg/pmbgp.py", "--prefix"),
        ("kafka/kafka_consumer.py", "TOPIC"),
        ("amqp/amqp_receiver.py", "EXCHANGE"),
    ],
)
def test_a_script_of_the_quick_start_runs_from_its_place(script: str, says: str) -> None:
    run = subprocess.run([sys.executable, EXAMPLES / script, "-h"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert says in run.stdout


def test_the_client_of_the_looking_glass_says_which_python_it_wants(tmp_path: Path) -> None:
    """Where that is not found: a copy without the project around it, and without the installed one."""
    script = tmp_path / "a" / "b" / "pmbgp.py"
    script.parent.mkdir(parents=True)
    script.write_text((EXAMPLES / "lg/pmbgp.py").read_text())
    run = subprocess.run([sys.executable, "-I", "-S", script, "-h"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.endswith(
        "run this with the Python that the project is installed in, or the command pmbgp beside it\n"
    )
