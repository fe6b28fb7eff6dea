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
