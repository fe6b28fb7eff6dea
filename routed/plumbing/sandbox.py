"""A sandbox of the kernel's: from its making on, the process writes below a few folders alone, and runs no program.

Implements Landlock (landlock(7)), by its three system calls, which the C library does not have. What may be read, and
the network, are left alone. It holds for this thread and those that it starts, so it is made while there are no others
that matter. There is no way out of it, for this process or its children.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING, Final

from routed.plumbing.lifecycle import StartError
from routed.plumbing.privileges import rule_out_new_privileges

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Numbers of the Linux ABI (asm-generic/unistd.h, linux/landlock.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1
_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
#: Removing, and making files, folders, links, sockets and devices: bits 4 to 12.
_CHANGE_FOLDERS: Final = 0b1_1111_1111 << 4
#: By the version of the interface that brought them: links and renames across folders, truncation.
_LATER: Final = {2: 1 << 13, 3: 1 << 14}

#: What whoever leaves the terminal opens.
_NULL: Final = os.devnull


class SandboxError(StartError):
    """The sandbox that the operator wants cannot be had; the daemon must not go on without."""


def landlock_version() -> int:
    """Return the version of the kernel's interface, 0 where it has none, or was told not to use it."""
    version = _syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    return max(version, 0)


def write_only_below(folders: Iterable[Path]) -> None:
    """Give up writing anywhere else, and running programs.

    Raises: SandboxError when the kernel has no such thing, or a folder cannot be opened.
    """
    version = landlock_version()
    if not version:
        raise SandboxError("proc_sandbox: this kernel has no Landlock, or it is switched off")
    changes = _WRITE_FILE | _CHANGE_FOLDERS
    for since, right in _LATER.items():
        changes |= right if version >= since else 0
    attributes = struct.pack("=Q", changes | _EXECUTE)
    ruleset = _checked(_syscall(_CREATE_RULESET, attributes, len(attributes), 0), "landlock_create_ruleset")
    try:
        for folder in sorted(set(folders)):
            _make(folder)
            _allow(ruleset, os.fspath(folder), changes)
        _allow(ruleset, _NULL, changes & (_WRITE_FILE | _LATER[3]))
        rule_out_new_privileges()
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _make(folder: Path) -> None:
    """Make a folder that would be made with the first file in it: it cannot be, once its parents are shut."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxError(f"proc_sandbox: [{folder}] {error.strerror}") from error


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise SandboxError(f"proc_sandbox: [{path}] {error.strerror}") from error
    try:
        rule = struct.pack("=Qi", rights, place)
        _checked(_syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0), "landlock_add_rule")
    finally:
        os.close(place)


def _checked(result: int, name: str) -> int:
    if result < 0:
        raise SandboxError(f"proc_sandbox: {name}: {os.strerror(ctypes.get_errno())}")
    return result


def _syscall(number: int, *arguments: bytes | int | None) -> int:
    """Call the kernel; -1 and `errno` when it refuses."""
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = function(ctypes.c_long(number), *words)
    return result
