"""Privileges are given up in a process of their own: there is no way back."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from routed.plumbing import privileges
from routed.plumbing.privileges import Identity, PrivilegeError, become, capabilities, identity_of

ROOT = Path(__file__).parents[3]
NOBODY = pwd.getpwnam("nobody")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root can become somebody else")


def in_process(script: str) -> Any:
    """Run a script that prints JSON."""
    before = """
import json, os
from routed.plumbing import privileges
from routed.plumbing.privileges import Identity, PrivilegeError, become, capabilities, give_up_future
privileges.OWN_FILES = ()  # the interpreter of these tests may be at home in a folder of root
capabilities()
def refused(call, *arguments):
    try:
        call(*arguments)
    except PermissionError:
        return True
    return False
"""
    done = subprocess.run(
        [sys.executable, "-c", before + script], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@needs_root
def test_who_has_become_an_ordinary_user_has_no_way_back() -> None:
    told = in_process("""
give_up_future()
become(Identity(uid=65534, gid=65534, groups=(65534, 12)))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "users": os.getresuid(), "groups": os.getresgid(), "further": sorted(os.getgroups()),
    "capabilities": capabilities(), "bounding": int(status["CapBnd"], 16), "ambient": int(status["CapAmb"], 16),
    "no_new": int(status["NoNewPrivs"]),
    "refused": [refused(os.setuid, 0), refused(os.setgid, 0), refused(os.setgroups, [0])],
}))
""")
    assert told == {
        "users": [65534] * 3,
        "groups": [65534] * 3,
        "further": [12, 65534],
        "capabilities": 0,
        "bounding": 0,
        "ambient": 0,
        "no_new": 1,
        "refused": [True, True, True],
    }


@needs_root
def test_an_ordinary_user_may_stay_who_it_is_and_be_nobody_else() -> None:
    told = in_process("""
me = Identity(uid=65534, gid=65534, groups=())
become(me)
become(me)
try:
    become(Identity(uid=65533, gid=65534, groups=()))
except PrivilegeError as error:
    print(json.dumps(str(error)))
""")
    assert told == "only root may run as user 65533 and group 65534"


@needs_root
def test_root_may_stay_root() -> None:
    assert in_process("become(Identity(uid=0, gid=0, groups=(0,))); print(json.dumps(os.getresuid()))") == [0, 0, 0]


def test_a_user_has_the_groups_of_the_system_and_further_ones() -> None:
    assert identity_of(NOBODY.pw_uid, NOBODY.pw_gid, (12,)) == Identity(
        uid=NOBODY.pw_uid, gid=NOBODY.pw_gid, groups=(NOBODY.pw_gid, 12)
    )
    assert identity_of(3_999_999_999, 7, (7,)).groups == (7,)


@pytest.fixture
def half_way(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Become nobody as far as the system says so, and stay who we are."""
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *_: None)
    monkeypatch.setattr(os, "getuid", lambda: 65534)
    return monkeypatch


@pytest.mark.usefixtures("half_way")
def test_a_way_back_is_noticed() -> None:
    with pytest.raises(PrivilegeError, match="there is a way back to root"):
        become(Identity(uid=65534, gid=65534, groups=()))


def test_capabilities_that_are_left_are_noticed(half_way: pytest.MonkeyPatch) -> None:
    def set_user(*users: int) -> None:
        if users == (0, 0, 0):
            raise PermissionError(1, "Operation not permitted")

    half_way.setattr(os, "setresuid", set_user)
    half_way.setattr(privileges, "capabilities", lambda: 0x400)
    with pytest.raises(PrivilegeError, match="capabilities 0x400 are still there"):
        become(Identity(uid=65534, gid=65534, groups=()))


def test_capabilities_are_those_of_the_system() -> None:
    assert (capabilities() != 0) is (os.geteuid() == 0)


def test_who_cannot_read_the_daemon_does_not_run_it(half_way: pytest.MonkeyPatch) -> None:
    half_way.setattr(privileges, "_prove_lost", lambda: None)
    half_way.setattr(privileges, "OWN_FILES", ("/no/such/module.py",))
    with pytest.raises(PrivilegeError, match=r"user 65534 cannot read /no/such/module\.py"):
        become(Identity(uid=65534, gid=65534, groups=()))
