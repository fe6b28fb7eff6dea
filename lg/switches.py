"""The switches of `pmbgp`: pmacct's with their letters, and ours.

One row each; the command line, `-h` and the question that is asked are read from these tables.
"""

from __future__ import annotations

import getopt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from routed.plumbing.suggest import nearest
from routed.query.parameters import json_value, parser_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch; without an argument it is there or not."""

    name: str
    argument: str
    meaning: str
    letter: str = ""


class UsageError(Exception):
    """The command line is not understood; the text says why."""


class UnknownSwitchError(UsageError):
    """It has a switch that there is not."""


#: Conditions: the member that each switch sets.
CONDITIONS: Final[Mapping[str, str]] = {
    "origin-as": "origin_as",
    "neighbor-as": "neighbor_as",
    "as": "as",
    "as-path": "as_path",
    "as-path-length": "as_path_length",
    "next-hop": "next_hop",
    "community": "community",
    "ext-community": "ext_community",
    "large-community": "large_community",
    "origin": "origin",
    "local-pref": "local_pref",
    "med": "med",
    "attribute": "attribute",
    "aspa-upstream": "aspa_upstream",
    "aspa-downstream": "aspa_downstream",
}
#: Other members of a question of ours, likewise.
MEMBERS: Final[Mapping[str, str]] = {
    "prefix": "ip_prefix",
    "peer": "peer_ip_src",
    "peer-port": "peer_tcp_port",
    "rd": "rd",
    "match": "match",
    "peer-id": "peer_id",
    "router": "bmp_router",
    "rib": "bmp_rib_type",
    "afi": "afi",
    "safi": "safi",
    "roa": "roa",
    "fields": "fields",
    "cursor": "cursor",
    "system": "system",
    "root": "root",
}
#: What a search is for, besides routes.
SELECTS: Final = (
    *("count", "peers", "routers", "reload"),
    *("isis-database", "isis-hostnames", "isis-neighbors", "isis-routes"),
)
#: What pmacct's question has; anything else makes it one of ours.
LOOKUP: Final = ("prefix", "peer", "peer-port", "rd")

GROUPS: Final[Mapping[str, tuple[Switch, ...]]] = {
    "Longest match in the table of one peer": (
        Switch("prefix", "PREFIX", "address or prefix to look up", "a"),
        Switch("peer", "ADDRESS", "BGP peer", "r"),
        Switch("peer-port", "PORT", "TCP port of the peer, if several have the address", "R"),
        Switch("rd", "RD", "route distinguisher, as in 0:65000:100", "d"),
    ),
    "Peers": (
        Switch("get-peers", "", "list the peers", "g"),
        Switch("peers", "", "list them with state, capabilities, uptime and routes"),
        Switch("routers", "", "list the BMP routers likewise"),
    ),
    "Search; the switches above may be given too, all conditions must hold": (
        Switch("search", "", "search, even without any of the switches below"),
        Switch("match", "HOW", "exact, longest, less-specific or more-specific; longest when not given"),
        Switch("origin-as", "AS", "the path ends with this AS"),
        Switch("neighbor-as", "AS", "the path begins with this AS"),
        Switch("as", "AS", "the AS is in the path"),
        Switch("as-path", "EXPRESSION", "the path matches, as in '^64500 .* 64510$'"),
        Switch("as-path-length", "NUMBER", "as in 3, '>=3' or 3-5"),
        Switch("next-hop", "PREFIX", "the next hop is this, or inside"),
        Switch("community", "A:B", "the path has it; * is any half"),
        Switch("ext-community", "TEXT", "likewise, as records write it"),
        Switch("large-community", "A:B:C", "likewise"),
        Switch("origin", "i|e|u", "IGP, EGP or incomplete"),
        Switch("local-pref", "NUMBER", "as in 100, '<100' or 100-200"),
        Switch("med", "NUMBER", "likewise"),
        Switch("attribute", "CODE", "the path has an attribute of this type"),
        Switch("aspa-upstream", "VERDICT", "valid, invalid or unknown, as if from a customer or lateral peer"),
        Switch("aspa-downstream", "VERDICT", "likewise, as if from a provider"),
        Switch("where", "JSON", "a condition as the protocol has it, with and, or, not"),
        Switch("roa", "v|i|u", "origins that are valid, invalid or unknown; several as in i,u"),
        Switch("peer-id", "ADDRESS", "Router-ID of the peer"),
        Switch("router", "ADDRESS", "BMP router"),
        Switch("rib", "NAME", "RIB of a BMP router, as records write it"),
        Switch("afi", "1|2", "IPv4 or IPv6"),
        Switch("safi", "NUMBER", "1 unicast, 2 multicast, 4 labelled unicast, 128 VPN"),
        Switch("count", "", "only tell how many routes there are"),
        Switch("fields", "NAME,NAME", "only these members of a record"),
        Switch("all-attributes", "", "also the attributes that pmacct leaves out"),
        Switch("limit", "NUMBER", "routes of each looking glass at most; 100 when not given"),
        Switch("all", "", "all routes"),
        Switch("cursor", "TEXT", "begin where an answer ended"),
    ),
    "IS-IS; of the switches above --prefix, --match, --afi, --fields, --limit and --cursor may be given": (
        Switch("isis-neighbors", "", "list the circuits and their adjacencies"),
        Switch("isis-hostnames", "", "list the names of systems"),
        Switch("isis-database", "", "list the LSPs"),
        Switch("isis-routes", "", "list the routes"),
        Switch("system", "NAME", "only of this system, by name or id"),
        Switch("root", "NAME", "routes as this system has them"),
    ),
    "Looking glass": (
        Switch("zmq-host", "HOST", "where it is; 127.0.0.1 when not given", "z"),
        Switch("zmq-port", "PORT", "its TCP port; 17900 when not given", "Z"),
        Switch("server", "HOST:PORT", "ask this one; several are asked at a time"),
        Switch("zmq-user", "USER", "user", "u"),
        Switch("zmq-passwd", "PASSWORD", "password; other users of the machine can see it here", "p"),
        Switch("passwd-file", "FILE", "file whose first line is the password"),
        Switch("server-key", "FILE", "CURVE certificate with the public key of the looking glass"),
        Switch("client-key", "FILE", "CURVE certificate with our secret key"),
        Switch("timeout", "SECONDS", "how long an answer may take; 30 when not given"),
    ),
    "The daemon": (Switch("reload", "", "read maps and configuration again, and tell what is different"),),
    "Output; each frame of the answer on a line when neither is given": (
        Switch("json", "", "records as JSON lines; also when several are asked"),
        Switch("table", "", "records as tables"),
    ),
    "General": (
        Switch("help", "", "show this page", "h"),
        Switch("version", "", "show the version", "V"),
    ),
}
SWITCHES: Final = {switch.name: switch for group in GROUPS.values() for switch in group}


def parse(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Return what was given for each switch, in order; one without an argument has an empty text.

    Raises: UnknownSwitchError.
    """
    letters = "".join(f"{each.letter}{':' if each.argument else ''}" for each in SWITCHES.values() if each.letter)
    names = [f"{each.name}{'=' if each.argument else ''}" for each in SWITCHES.values()]
    try:
        options, operands = getopt.getopt(list(arguments), letters, names)
    except getopt.GetoptError as error:
        meant = nearest(error.opt, SWITCHES) if error.opt not in SWITCHES else None
        advice = f". Did you mean --{meant}?" if meant else ""
        raise UnknownSwitchError(f"{error}{advice}") from None
    if operands:
        raise UnknownSwitchError(f"unexpected argument {operands[0]}")
    by_letter = {each.letter: each.name for each in SWITCHES.values() if each.letter}
    given: dict[str, list[str]] = {}
    for option, argument in options:
        name = option.removeprefix("--") if option.startswith("--") else by_letter[option[1:]]
        given.setdefault(name, []).append(argument)
    return given


def usage(program: str) -> str:
    """Write the answer to `-h`."""
    lines = [f"{program}: ask the looking glass of a collector", f"usage: {program} switches"]
    width = 2 + max(len(_left(switch)) for switch in SWITCHES.values())
    for title, group in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {_left(switch):<{width}}{switch.meaning}" for switch in group)]
    return "\n".join(lines)


def _left(switch: Switch) -> str:
    letter = f"-{switch.letter}," if switch.letter else "   "
    return f"{letter} --{switch.name} {switch.argument}".rstrip()


def question(given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the question of ours that the switches ask.

    Raises: UsageError.
    """
    members = {
        member: read(f"--{name}", parser_of(member), given[name][-1])
        for name, member in MEMBERS.items()
        if name in given
    }
    conditions = [
        {member: read(f"--{name}", parser_of(member), text)}
        for name, member in CONDITIONS.items()
        for text in given.get(name, ())
    ]
    conditions += [read("--where", json_value, text) for text in given.get("where", ())]
    if conditions:
        members["where"] = conditions[0] if len(conditions) == 1 else {"and": conditions}
    if "all-attributes" in given:
        members["all_attributes"] = True
    selected = [select for select in SELECTS if select in given]
    if len(selected) > 1:
        raise UsageError(f"--{selected[0]} and --{selected[1]}: one of them at a time")
    if selected:
        members["select"] = selected[0]
    return members


def read(name: str, parse_one: Callable[[str], Any], text: str) -> Any:
    """Read an argument.

    Raises: UsageError.
    """
    try:
        return parse_one(text)
    except (ValueError, OSError) as error:
        raise UsageError(f"{name}: {error}") from None
