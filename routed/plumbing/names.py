"""Names with variables: `/var/log/bgp-$peer_src_ip-%Y%m%d.json` and the like.

A text is cut into literals and variables once, when the configuration is read; expanding it later cannot fail and
never looks inside a value that was put in. A `$` is followed by the longest variable name that fits, so
`$bmp_router_port` is the port and not the address with `_port` behind it, and `$peer_src_ip_x` is the address with
`_x` behind it. A `$` that starts no variable is an ordinary character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Variable(Enum):
    """What a `$` name stands for."""

    PEER_ADDRESS = auto()
    PEER_PORT = auto()
    TIME_ZONE = auto()
    PROCESS_NAME = auto()
    WRITER_PID = auto()
    BUILD = auto()
    REFRESH_TIME = auto()
    HISTORY = auto()
    TAG = auto()
    TAG2 = auto()
    POST_TAG = auto()
    POST_TAG2 = auto()
    SOURCE_ADDRESS = auto()
    DESTINATION_ADDRESS = auto()
    SOURCE_PORT = auto()
    DESTINATION_PORT = auto()
    PROTOCOL = auto()
    INPUT_INTERFACE = auto()


#: Longest name that is made of a text: a file's may have 255 octets, and others add to it.
MOST_FILE_NAME: Final = 150


#: Variables in the names of log files.
PEER_VARIABLES: Final[Mapping[str, Variable]] = {
    "peer_src_ip": Variable.PEER_ADDRESS,
    "bmp_router": Variable.PEER_ADDRESS,
    "telemetry_node": Variable.PEER_ADDRESS,
    "peer_tcp_port": Variable.PEER_PORT,
    "bmp_router_port": Variable.PEER_PORT,
    "telemetry_node_port": Variable.PEER_PORT,
}
#: Variables in the names of files that carry the time of their making.
DATED_VARIABLES: Final[Mapping[str, Variable]] = {**PEER_VARIABLES, "tzone": Variable.TIME_ZONE}
#: Variables of `writer_id_string`.
WRITER_VARIABLES: Final[Mapping[str, Variable]] = {
    "proc_name": Variable.PROCESS_NAME,
    "writer_pid": Variable.WRITER_PID,
    "pmacct_build": Variable.BUILD,
}

#: Variables in the topics and routing keys that flow records go to.
FLOW_TARGET_VARIABLES: Final[Mapping[str, Variable]] = {
    "peer_src_ip": Variable.PEER_ADDRESS,
    "tag": Variable.TAG,
    "tag2": Variable.TAG2,
    "post_tag": Variable.POST_TAG,
    "post_tag2": Variable.POST_TAG2,
}
#: Variables in the keys of flow records.
FLOW_KEY_VARIABLES: Final[Mapping[str, Variable]] = {
    "peer_src_ip": Variable.PEER_ADDRESS,
    "tag": Variable.TAG,
    "tag2": Variable.TAG2,
    "src_host": Variable.SOURCE_ADDRESS,
    "dst_host": Variable.DESTINATION_ADDRESS,
    "src_port": Variable.SOURCE_PORT,
    "dst_port": Variable.DESTINATION_PORT,
    "proto": Variable.PROTOCOL,
    "in_iface": Variable.INPUT_INTERFACE,
}
#: Variables in the names of files that flow records go to.
FLOW_VARIABLES: Final[Mapping[str, Variable]] = {
    **FLOW_TARGET_VARIABLES,
    "ref": Variable.REFRESH_TIME,
    "hst": Variable.HISTORY,
    "tzone": Variable.TIME_ZONE,
}

_NAME: Final = re.compile(r"\$([a-z0-9_]+)")


@dataclass(frozen=True)
class NameTemplate:
    """A name cut into literal texts and variables."""

    text: str
    parts: tuple[str | Variable, ...]
    unknown: tuple[str, ...] = ()
    dated: bool = False

    @cached_property
    def variables(self) -> frozenset[Variable]:
        """Tell which variables the name holds: an empty set makes the same name for everybody."""
        return frozenset(part for part in self.parts if isinstance(part, Variable))

    @cached_property
    def follows_time(self) -> bool:
        """Tell whether the name changes with time."""
        return self.dated and ("%" in self.text or Variable.TIME_ZONE in self.variables)

    def expand(self, values: Mapping[Variable, str], when: datetime | None = None) -> str:
        """Put in the values; `when`, with its time zone, fills `%` conversions and `$tzone` of a dated name."""
        return "".join(self._expand_part(part, values, when) for part in self.parts)

    def expand_for_peer(self, address: str, port: int, when: datetime | None = None) -> str:
        """Put in a peer, the way a name can hold it: `192_0_2_1`, `2001_db8__1`."""
        values = {Variable.PEER_ADDRESS: name_of_address(address), Variable.PEER_PORT: str(port)}
        return self.expand(values, when)

    def _expand_part(self, part: str | Variable, values: Mapping[Variable, str], when: datetime | None) -> str:
        if part is Variable.TIME_ZONE:
            return "" if when is None else format_offset(when)
        if isinstance(part, Variable):
            return values[part]
        return when.strftime(part) if self.dated and when is not None and "%" in part else part


def parse_name(text: str, variables: Mapping[str, Variable], *, dated: bool = False) -> NameTemplate:
    """Cut a name into its parts; a `dated` one takes `%` conversions of strftime as well."""
    parts: list[str | Variable] = []
    unknown = []
    at = 0
    for match in _NAME.finditer(text):
        name = _longest(match[1], variables)
        if name is None:
            unknown.append("$" + match[1])
            continue
        literal = text[at : match.start()]
        parts += [literal, variables[name]] if literal else [variables[name]]
        at = match.start() + 1 + len(name)
    literal = text[at:]
    return NameTemplate(text, tuple([*parts, literal] if literal else parts), tuple(unknown), dated)


def name_of_address(address: str) -> str:
    """Write an address the way a name can hold it: `192_0_2_1`, `2001_db8__1`."""
    return address.replace(".", "_").replace(":", "_")


def file_name_of(text: str) -> str:
    """Write a text, such as a path, as the name of one file: `/etc/bgp/a.conf` becomes `+etc+bgp+a.conf`.

    Different texts have different names; of a long one the end is left, behind a checksum.
    """
    name = quote(text, safe=" ", errors="surrogateescape").replace("%2F", "+")
    if name.strip(".") and len(name) <= MOST_FILE_NAME:
        return name
    checksum = sha256(name.encode()).hexdigest()[:16]
    return f"{checksum}{name[-MOST_FILE_NAME + len(checksum) :]}"


def format_offset(when: datetime) -> str:
    """Write the offset of a time from UTC as `+01:00`."""
    offset = when.strftime("%z")
    return f"{offset[:3]}:{offset[3:5]}"


def _longest(text: str, variables: Mapping[str, Variable]) -> str | None:
    fitting = [name for name in variables if text.startswith(name)]
    return max(fitting, key=len, default=None)
