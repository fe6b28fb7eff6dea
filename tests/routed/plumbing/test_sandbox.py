"""A sandbox is made in a process of its own: there is no way out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from routed.plumbing import sandbox
from routed.plumbing.sandbox import SandboxError, landlock_version, write_only_below

ROOT = Path(__file__).parents[3]

needs_landlock = pytest.mark.skipif(not landlock_version(), reason="SKIPPED: this kernel has no Landlock")

SCRIPT = """
import json, os, subprocess, sys, threading
from pathlib import Path
from routed.plumbing.sandbox import write_only_below
inside, outside = Path(sys.argv[1]), Path(sys.argv[2])
write_only_below([inside / "new" / "folder"])
told = {}
def tell(name, work):
    try:
        work()
        told[name] = "done"
    except PermissionError:
        told[name] = "refused"
def work(folder):
    def write():
        (folder / "file").write_text("x")
        (folder / "file").rename(folder / "other")
        (folder / "link").symlink_to("other")
        (folder / "link").unlink()
        (folder / "further").mkdir()
    return write
tell("inside", work(inside / "new" / "folder"))
tell("beside", work(inside))
tell("outside", work(outside))
tell("read", lambda: (outside / "there").read_text())
tell("append", lambda: (outside / "there").open("a"))
tell("truncate", lambda: os.truncate(outside / "there", 0))
tell("null", lambda: open(os.devnull, "w").write("x"))
tell("run", lambda: subprocess.run(["/bin/true"], check=True))
thread = threading.Thread(target=lambda: tell("thread", lambda: (outside / "file").write_text("x")))
thread.start()
thread.join()
print(json.dumps(told))
"""


@needs_landlock
def test_what_is_left_is_to_write_below_the_folders_and_to_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "there").write_text("there")
    argv = [sys.executable, "-c", SCRIPT, str(inside), str(outside)]
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "inside": "done",
        "beside": "refused",
        "outside": "refused",
        "read": "done",
        "append": "refused",
        "truncate": "refused" if landlock_version() >= 3 else "done",
        "null": "done",
        "run": "refused",
        "thread": "refused",
    }


def test_without_the_kernels_help_there_is_none_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_syscall", lambda *_: -1)
    with pytest.raises(SandboxError, match="this kernel has no Landlock"):
        write_only_below([])


@needs_landlock
def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError, match=r"file/folder\] Not a directory"):
        write_only_below([tmp_path / "file" / "folder"])


@needs_landlock
@pytest.mark.parametrize("number", [445, 446])
def test_a_refusal_of_the_kernel_is_said(monkeypatch: pytest.MonkeyPatch, number: int, tmp_path: Path) -> None:
    call = sandbox._syscall

    def refuse(asked: int, *arguments: bytes | int | None) -> int:
        return -1 if asked == number else call(asked, *arguments)

    monkeypatch.setattr(sandbox, "_syscall", refuse)
    monkeypatch.setattr(sandbox, "rule_out_new_privileges", lambda: None)
    with pytest.raises(SandboxError, match="proc_sandbox: landlock_"):
        write_only_below([tmp_path])
