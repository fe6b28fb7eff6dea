"""Users and groups: whom a daemon runs as once its port is open, and whose the files are that it creates."""

from __future__ import annotations

import pwd
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from routed.plumbing.output_file import Owner
from routed.plumbing.privileges import Identity, identity_of
from routed.plumbing.process import NO_ACCOUNT, group_id, user_id
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from routed.plumbing.config import Configuration

#: Keys that name a user or a group, and how its number is found.
ACCOUNTS: Final[Mapping[str, Callable[[int | str | None], int]]] = {
    "files_uid": user_id,
    "files_gid": group_id,
    "proc_user": user_id,
    "proc_group": group_id,
}


def process_identity(c: Configuration) -> Identity | None:
    """Tell whom the process runs as once everything is open, None when it stays who it is."""
    uid, gid, files_gid = (_number(c, key) for key in ("proc_user", "proc_group", "files_gid"))
    if uid == NO_ACCOUNT:
        return None
    group = _own_group(uid) if gid == NO_ACCOUNT else gid
    if group is None:
        return None
    return identity_of(uid, group, () if files_gid == NO_ACCOUNT else (files_gid,))


def files_owner(c: Configuration, identity: Identity | None) -> Owner:
    """Tell whose created files are: the one that was named for that, or whom the process will run as."""
    uid, gid = _number(c, "files_uid"), _number(c, "files_gid")
    if identity is None:
        return Owner(uid, gid)
    return Owner(identity.uid if uid == NO_ACCOUNT else uid, identity.gid if gid == NO_ACCOUNT else gid)


def accounts_exist(c: Configuration) -> Iterator[Problem]:
    """Refuse users and groups whom the system does not know."""
    for key, find in ACCOUNTS.items():
        try:
            find(_account(c, key))
        except LookupError:
            text = f"{c.where(key)} {key}: {_account(c, key)} is not known to the system"
            yield Problem(Kind.BAD_VALUE, text)


def identity_is_whole(c: Configuration) -> Iterator[Problem]:
    """Refuse to run as a group without a user, or as a number without a group."""
    uid = _number(c, "proc_user")
    if c.is_set("proc_group") and not c.is_set("proc_user"):
        yield Problem(Kind.CONFLICT, f"{c.where('proc_group')} proc_group: proc_user is missing")
    elif uid != NO_ACCOUNT and not c.is_set("proc_group") and _own_group(uid) is None:
        text = f"{c.where('proc_user')} proc_user: the system knows no group of user {uid}: proc_group is missing"
        yield Problem(Kind.CONFLICT, text)


def files_can_be_given(c: Configuration) -> Iterator[Problem]:
    """Refuse to give files to somebody else than the process, once it is not root any more."""
    uid, files_uid = _number(c, "proc_user"), _number(c, "files_uid")
    if uid not in {NO_ACCOUNT, 0} and files_uid not in {NO_ACCOUNT, uid}:
        user = _account(c, "proc_user")
        text = f"only root gives files away, and proc_user is {user}: valid is {user}, or files_gid alone"
        yield Problem(Kind.CONFLICT, f"{c.where('files_uid')} files_uid: {text}")


ACCOUNT_CHECKS: Final = (accounts_exist, identity_is_whole, files_can_be_given)


def _account(c: Configuration, key: str) -> int | str | None:
    account = c.maybe(key, object)
    assert account is None or isinstance(account, int | str)
    return account


def _number(c: Configuration, key: str) -> int:
    """Return the number of an account, that of nobody for one that `accounts_exist` refuses."""
    with suppress(LookupError):
        return ACCOUNTS[key](_account(c, key))
    return NO_ACCOUNT


def _own_group(uid: int) -> int | None:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_gid
    return None
