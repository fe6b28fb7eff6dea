"""From root to an ordinary user: once, for good, and with nothing kept.

What needs privileges (a port below 1024, the files of the start) is opened before. `give_up_future` comes first, while
the process has one thread, because its settings are those of a thread and of what that thread starts; `become` comes
last. Neither TCP-MD5 keys nor GTSM need a capability in Linux, so no capability is kept (capabilities(7), prctl(2)).
"""

from __future__ import annotations

import ctypes
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routed.plumbing.lifecycle import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

# Numbers of the Linux ABI (linux/prctl.h).
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
#: Capabilities that a kernel may know: the masks of /proc have 64 bits.
_MAX_CAPABILITIES: Final = 64

_STATUS: Final = Path("/proc/self/status")
#: Files of the library and of this package: who cannot read them cannot load a module when it is first needed.
OWN_FILES: tuple[str, ...] = (os.__file__, __file__)


class PrivilegeError(StartError):
    """Privileges cannot be given up as the operator wants it; the daemon must not go on with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a process runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def identity_of(uid: int, gid: int, further_groups: tuple[int, ...]) -> Identity:
    """Return the user with its groups, those of the system's list and further ones."""
    try:
        listed = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        listed = [gid]
    return Identity(uid=uid, gid=gid, groups=tuple(dict.fromkeys((*listed, *further_groups))))


def give_up_future() -> None:
    """See to it that nothing this process starts can ever have more privileges than it, root or not."""
    prctl = _prctl()
    if os.geteuid() == 0:
        for capability in range(_MAX_CAPABILITIES):
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused for those that the kernel does not know
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)  # older than Linux 4.3: there are none
    rule_out_new_privileges()


def rule_out_new_privileges() -> None:
    """See to it that no program which this process runs has more privileges than it.

    Raises: PrivilegeError.
    """
    if _prctl()(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise PrivilegeError("the system refuses to rule out new privileges (PR_SET_NO_NEW_PRIVS)")


def become(identity: Identity) -> None:
    """Run as somebody else from now on, without a way back.

    Raises: PrivilegeError.
    """
    if _is(identity):
        return
    try:
        os.setgroups(identity.groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    except PermissionError as error:
        raise PrivilegeError(f"only root may run as user {identity.uid} and group {identity.gid}") from error
    _prove_lost()
    for file in OWN_FILES:
        if not os.access(file, os.R_OK):
            raise PrivilegeError(f"user {identity.uid} cannot read {file}, which belongs to the daemon")


def capabilities() -> int:
    """Return the capabilities that this process has or could take, as a mask."""
    fields = (line.split() for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines())
    masks = {words[0]: int(words[1], 16) for words in fields if words and words[0] in {"CapPrm:", "CapEff:"}}
    return masks["CapPrm:"] | masks["CapEff:"]


def _is(identity: Identity) -> bool:
    users, groups = {*os.getresuid()}, {*os.getresgid()}
    return (users, groups) == ({identity.uid}, {identity.gid}) and identity.uid != 0


def _prove_lost() -> None:
    if os.getuid() == 0:
        return  # to run as root is what the operator wants
    try:
        os.setresuid(0, 0, 0)
    except PermissionError:
        if not (kept := capabilities()):
            return
        raise PrivilegeError(f"capabilities {kept:#x} are still there") from None
    raise PrivilegeError("there is a way back to root")


def _prctl() -> Callable[[int, int, int, int, int], int]:
    function = ctypes.CDLL(None, use_errno=True).prctl
    function.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    function.restype = ctypes.c_int
    call: Callable[[int, int, int, int, int], int] = function
    return call
