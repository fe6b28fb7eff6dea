"""The manual pages of the daemons and of `pmnetworks`, from their switches and the registry of keys.

`python -m routed.daemon.manual docs/man` brings the pages up to date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routed.daemon import pmnetworks
from routed.daemon.keys import KEYS
from routed.daemon.switches import PROGRAMS
from routed.plumbing.config import Daemons, Status, format_value
from routed.plumbing.manual import Item, Section, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.plumbing.cli import Program
    from routed.plumbing.config import Key, Registry

#: System administration commands.
SECTION: Final = 8

LANGUAGE: Final = (
    "A configuration is a text file of lines `key: value`. The first colon ends the key; a line whose first character "
    "is ! or # is a comment. A key that is written twice has its last value, and switches come after the file. Keys "
    "marked [live] take a new value at SIGUSR2; files of keys marked [file] are read again then. Keys marked [ours] "
    "are not known to pmacct. `key[name]` is for the plugin or process of that name: of use for keys marked [plugin]."
)
#: Daemons whose names begin those of keys, and keys that others have too.
COLLECTORS: Final = frozenset({"nfacctd", "sfacctd", "pmacctd", "uacctd"})
OF_ALL: Final = frozenset({"nfacctd_max_exporters"})
#: A link to a page of the documentation.
_PAGE: Final = re.compile(r"\[([^]]+)\]\([^)]+\)")
SIGNALS: Final = (
    Item("SIGTERM, SIGINT", "end gracefully; a second one ends at once, with status 1"),
    Item("SIGHUP", "open log files again"),
    Item("SIGUSR2", "read maps, certificates and configuration again, whole or not at all"),
    Item("SIGUSR1", "flow daemons: say in the log what every exporter has sent; others ignore it"),
)
STATUS: Final = (
    Item("0", "ended by a signal; or a configuration was checked and is good"),
    Item("1", "the configuration, a port or a file cannot be used, or not everything was written out at the end"),
    Item("2", "the command line is not understood"),
)
ENVIRONMENT: Final = (
    Item("NOTIFY_SOCKET", "where a service manager is told of start, reload and end; see sd_notify(3)"),
    Item("WATCHDOG_USEC", "how often it wants to hear that the daemon is alive"),
)


def manual(program: Program, kind: Daemons, registry: Registry) -> str:
    """Write the page of a daemon."""
    switches = [
        Item("-f", "configuration file", "FILE"),
        *(Item(*question) for question in program.questions),
        *(Item(f"-{s.letter}", f"{s.meaning} (`{s.key}`)", s.argument) for s in program.switches),
    ]
    synopsis = f"`{program.name}` [-f FILE] [switches]"
    sections = [
        Section("SYNOPSIS", (synopsis,)),
        Section("OPTIONS", (), tuple(switches)),
        Section("CONFIGURATION", (LANGUAGE,)),
        *_groups(registry, program, kind),
        Section("SIGNALS", (), SIGNALS),
        Section("EXIT STATUS", (), STATUS),
        Section("ENVIRONMENT", (), ENVIRONMENT),
        Section(
            "SEE ALSO",
            ("pmacct(1), pmbgp(1), pmnetworks(1), pmbgpd(8), pmbmpd(8), nfacctd(8), sfacctd(8), systemd.service(5)",),
        ),
    ]
    return page(program.name, SECTION, program.summary, sections)


def _groups(registry: Registry, program: Program, kind: Daemons) -> Iterator[Section]:
    for group in registry.groups:
        if items := tuple(_item(key) for key in group.keys if reads(program, kind, key)):
            yield Section(group.title, (_PAGE.sub(r"\1", group.introduction),), items, is_sub=True)


def reads(program: Program, kind: Daemons, key: Key) -> bool:
    """Tell whether a daemon does something with a key; the names of some begin with that of another daemon."""
    is_built = key.status is Status.BUILT or (kind is Daemons.FLOW and key.status is Status.FLOW)
    owner = key.name.partition("_")[0]
    is_of_other = owner in COLLECTORS and owner != program.name and key.name not in OF_ALL
    return bool(key.daemons & kind and key.meaning and is_built) and not is_of_other


def _item(key: Key) -> Item:
    default = "none" if key.default is None else format_value(key, key.default)
    marks = [word for word, on in _marks(key) if on]
    source = f" ({key.source})" if key.source else ""
    meaning = f"{key.meaning}{source}. Value: {key.parser.valid}. Default: {default}."
    return Item(key.name, meaning + "".join(f" [{mark}]" for mark in marks))


def _marks(key: Key) -> Iterator[tuple[str, bool]]:
    yield from (("live", key.live), ("file", key.reload), ("plugin", not key.is_global), ("ours", key.ours))


def pages() -> Iterator[tuple[str, str]]:
    """Go through the pages, each with the name of its file."""
    for program in PROGRAMS:
        kind = Daemons.__members__.get(program.name.upper(), Daemons.FLOW)
        yield f"{program.name}.{SECTION}", manual(program, kind, KEYS)
    yield f"{pmnetworks.NAME}.{pmnetworks.SECTION}", pmnetworks.manual()


def main() -> None:
    """Write the pages into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
