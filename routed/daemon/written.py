"""Files and folders that the configuration names: where a daemon writes, and what it is to find.

`written_folders` are what a sandbox leaves open. `places_are_usable` says beforehand, with file, line and key, what
else shows when a dump is due for the first time, or at a start, which a mere check of the configuration is not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from routed.plumbing.names import NameTemplate
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.plumbing.config import Configuration, Daemons

#: How the names of keys end whose values are files that are written, and folders that are written into.
FILES: Final = (
    "logfile",
    "pidfile",
    "bgp_neighbors_file",
    "msglog_file",
    "map_msglog",
    "dump_file",
    "dump_latest_file",
    "sfacctd_counter_file",
    "nfacctd_templates_file",
    "print_output_lock_file",
    "imt_path",
)
FOLDERS: Final = ("spool_directory",)
#: Files whose names are understood together with what is summed.
TEMPLATES: Final = ("print_output_file", "print_latest_file")
#: Files that are read once, beside those that a reload reads again.
READ_ONCE: Final = ("kafka_config_file", "pcap_savefile")


class Output(NamedTuple):
    """A folder that is written into, the key that says so, and where the operator wrote it."""

    folder: Path
    key: str
    where: str


def written_folders(c: Configuration) -> tuple[Path, ...]:
    """Return the folders that hold everything that is written, as far as names are the same for everybody."""
    defaults = (
        Path(key.default)
        for key in c.registry
        if key.name.endswith(FOLDERS) and isinstance(key.default, str) and Path(key.default).is_dir()
    )
    return tuple(dict.fromkeys((*(output.folder for output in _outputs(c)), *defaults)))


def places_are_usable(c: Configuration, kind: Daemons) -> Iterator[Problem]:
    """Name files that are not there, and folders in which this user makes no file; `proc_user` is another one."""
    for settings in (c.settings, *c.of_plugins.values()):
        for name, setting in settings.items():
            is_read = c.registry[name].reload or name.endswith(READ_ONCE)
            if is_read and isinstance(setting.value, str) and c.registry[name].daemons & kind:
                path = Path(setting.value)
                if not _is_there(path):
                    yield Problem(Kind.MISSING_FILE, f"{setting.where} {name}: [{path}] file not found.")
    for output in () if c.is_set("proc_user") else _outputs(c):
        there = next(folder for folder in (output.folder, *output.folder.absolute().parents) if _is_there(folder))
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            why = "no file can be made there" if there.is_dir() else "this is no directory"
            yield Problem(Kind.MISSING_FILE, f"{output.where} {output.key}: [{there}] {why}.")


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # what is wrong with it is told by who opens it
    return True


def _outputs(c: Configuration) -> Iterator[Output]:
    for settings in (c.settings, *c.of_plugins.values()):
        for name, setting in settings.items():
            value = setting.value
            text = value.text if isinstance(value, NameTemplate) else str(value)
            is_template = isinstance(value, NameTemplate) or name in TEMPLATES
            if name.endswith((*FILES, *TEMPLATES)):
                yield Output(folder_of(text, is_template=is_template), name, setting.where)
            elif name.endswith(FOLDERS):
                yield Output(Path(text), name, setting.where)


def folder_of(name: str, *, is_template: bool) -> Path:
    """Return the folder of a file, or the last one that its variables and dates leave alone."""
    if is_template:
        name = name[: min(place for place in (name.find("$"), name.find("%"), len(name)) if place >= 0)]
    return Path(name.rpartition("/")[0] or ("/" if name.startswith("/") else "."))
