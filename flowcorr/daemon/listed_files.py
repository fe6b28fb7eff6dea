"""Files of values that are no maps: networks, ports, protocols, types of service; read whole or not at all."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Final

from flowcorr.correlate._network_rows import Rows
from flowcorr.correlate._networks import Networks
from flowcorr.correlate.networks import parse_networks
from flowcorr.correlate.value_lists import BadValueError, ValueKind, ValueList
from routed.plumbing.log import Level, LogLine
from routed.plumbing.maps import MAX_OCTETS, Loaded, MapFile, left_out, numbered_rows

if TYPE_CHECKING:
    from pathlib import Path


class NetworksFile(MapFile[Networks]):
    """A networks file: octets, because there may be millions of rows."""

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        super().__init__(path, lambda text, name: parse_network_rows(text.encode(), name), strict=strict)
        self._file = path

    def _read(self) -> Loaded[Networks]:
        with self._file.open("rb") as file:
            before = os.fstat(file.fileno())
            octets = file.read(MAX_OCTETS + 1)
            after = os.fstat(file.fileno())
        if len(octets) > MAX_OCTETS:
            raise OSError(0, f"larger than {MAX_OCTETS} octets")
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise OSError(0, "somebody writes it at this moment")
        return parse_network_rows(octets, str(self._file))


def parse_network_rows(octets: bytes, name: str) -> Loaded[Networks]:
    """Read a networks file called `name`."""
    found = parse_networks(octets.removeprefix(BOM_UTF8))
    lines = [
        left_out(f"[{name}:{one.line}] {one.text}{'' if one.text.endswith('?') else '.'} Line ignored.")
        if one.is_bad
        else LogLine(Level.WARN, f"[{name}:{one.line}] {one.text}.")
        for one in found.told
    ]
    if found.untold:
        lines.append(LogLine(Level.WARN, f"[{name}] and {found.untold} more rows like these"))
    return Loaded(found.networks, tuple(lines))


def no_networks() -> Networks:
    """Return the table of an empty file."""
    return Networks(Rows(b""))


#: Octets of a row that are shown where something is wrong with it.
SHOWN: Final = 80


def parse_value_list(kind: ValueKind, text: str, name: str) -> Loaded[ValueList]:
    """Read the values of a file called `name`, one in a row."""
    values: set[int] = set()
    lines = []
    for where, row in numbered_rows(text, name, "!#"):
        try:
            values.add(kind.parse(row[:SHOWN]))
        except BadValueError as error:
            lines.append(left_out(f"{where} {error}. Line ignored."))
    return Loaded(ValueList(frozenset(values)), tuple(lines))
