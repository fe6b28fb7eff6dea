"""Where a daemon writes while it runs: the folders that a sandbox leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from routed.plumbing.names import NameTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.plumbing.config import Configuration

#: How the names of keys end whose values are files that are written, and folders that are written into.
FILES: Final = (
    "logfile",
    "pidfile",
    "bgp_neighbors_file",
    "msglog_file",
    "map_msglog",
    "dump_file",
    "dump_latest_file",
)
FOLDERS: Final = ("spool_directory",)


def written_folders(c: Configuration) -> tuple[Path, ...]:
    """Return the folders that hold everything that is written, as far as names are the same for everybody."""
    return tuple(dict.fromkeys(_folders(c)))


def _folders(c: Configuration) -> Iterator[Path]:
    for name, setting in c.settings.items():
        value = setting.value
        text = value.text if isinstance(value, NameTemplate) else str(value)
        if name.endswith(FILES):
            yield folder_of(text, is_template=isinstance(value, NameTemplate))
        elif name.endswith(FOLDERS):
            yield Path(text)
    for key in c.registry:
        if key.name.endswith(FOLDERS) and isinstance(key.default, str) and Path(key.default).is_dir():
            yield Path(key.default)


def folder_of(name: str, *, is_template: bool) -> Path:
    """Return the folder of a file, or the last one that its variables and dates leave alone."""
    if is_template:
        name = name[: min(place for place in (name.find("$"), name.find("%"), len(name)) if place >= 0)]
    return Path(name.rpartition("/")[0] or ("/" if name.startswith("/") else "."))
