"""`pmbgp`: a looking glass, or many, asked from a shell.

With pmacct's switches alone it asks pmacct's questions and prints what pmacct's client prints: each frame of the
answer on a line, the header first. What else may be asked and printed is ours.

Exit status: 0 when there is an answer, also one that nothing was found; 1 when there is none, from one of them; 2 for
a switch that there is not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from lg import inquiry, switches
from lg.broker import MAX_SERVERS, Broker, Outcome
from lg.exchange import DEFAULT_TIMEOUT
from lg.render import Page, frames_to, json_lines_to, table_to
from lg.server import DEFAULT_HOST, DEFAULT_PORT, Server, parse_address, parse_port
from lg.switches import UnknownSwitchError, UsageError, read
from routed.query.codec import QueryError
from routed.query.parameters import number
from routed.query.request import DEFAULT_LIMIT

NAME: Final = "pmbgp"
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
#: Longest wait for an answer. Units: seconds.
MAX_TIMEOUT: Final = 3_600.0

Given: TypeAlias = dict[str, list[str]]
Pages: TypeAlias = Generator[list[Outcome], None, None]

_LOOKUP: Final = frozenset(switches.LOOKUP)
_SEARCH: Final = frozenset(
    {
        "search",
        *switches.SELECTS,
        "all-attributes",
        "limit",
        "all",
        "where",
        *switches.CONDITIONS,
        *(switches.MEMBERS.keys() - _LOOKUP),
    }
)


@dataclass(frozen=True, slots=True)
class Task:
    """What the command line asks for."""

    servers: tuple[Server, ...]
    timeout: float
    asked: inquiry.Inquiry | None  # none: a search
    question: dict[str, object]
    most: int | None
    fields: tuple[str, ...]  # that records shall have; none: all
    shows_frames: bool  # so that what the server says besides records is seen anyway

    def pages(self, broker: Broker) -> Pages:
        """Ask."""
        if self.asked is not None:
            yield broker.ask(self.asked)
        else:
            yield from broker.pages(self.question, self.most)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    try:
        given = switches.parse(sys.argv[1:] if arguments is None else arguments)
        if "help" in given or "version" in given:
            sys.stdout.write(f"{switches.usage(NAME) if 'help' in given else version_text()}\n")
            sys.stdout.flush()
            return OK
        task = task_of(given)
        return run(task, page_of(given, task, sys.stdout), sys.stderr)
    except UsageError as error:
        is_unknown = isinstance(error, UnknownSwitchError)
        sys.stderr.write(f"ERROR: {error}\n{NAME} -h shows the switches\n")
        return USAGE if is_unknown else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads us has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def run(task: Task, page: Page, errors: TextIO) -> int:
    """Ask, write the answers page by page, and say what went wrong; return the exit status."""
    status = OK
    with Broker(task.servers, timeout=task.timeout) as broker, closing(task.pages(broker)) as pages:
        last: dict[Server, Outcome] = {}
        members = set[str]()
        for outcomes in pages:
            page(outcomes)
            last |= {outcome.server: outcome for outcome in outcomes}
            members.update(*(row for outcome in outcomes if outcome.answer for row in outcome.answer.rows))
    sys.stdout.flush()
    if any(outcome.answer is not None and outcome.answer.rows for outcome in last.values()):
        absent = [name for name in task.fields if name not in members]
        errors.write(f"no record has {', '.join(absent)}\n" if absent else "")
    for outcome in last.values():
        if outcome.error is not None:
            status = FAILED
            errors.write(f"ERROR: {outcome.server}: {outcome.error}\n")
        elif outcome.answer is not None and outcome.answer.is_partial:
            errors.write(f"{outcome.server}: {_more(outcome.answer.cursor)}\n")
        elif outcome.answer is not None and outcome.answer.text is not None and not task.shows_frames:
            errors.write(f"{outcome.server}: {outcome.answer.text}\n")
    return status


def _more(cursor: str | None) -> str:
    return "there is more: a higher --limit" + (f", --all, or --cursor {cursor}" if cursor is not None else "")


def task_of(given: Given) -> Task:
    """Return what is asked for.

    Raises: UsageError.
    """
    most = _most(given)
    question: dict[str, object] = {}
    asked = _asked(given)
    if asked is None:
        question = switches.question(given)
        try:
            inquiry.search(question)
        except QueryError as error:
            raise UsageError(str(error)) from None
    if {"json", "table"} <= given.keys():
        raise UsageError("--json and --table: one of them at a time")
    servers = servers_of(given)
    if len(servers) > 1 and "cursor" in given:
        raise UsageError("--cursor is of use with the looking glass that it came from only")
    return Task(
        servers=servers,
        timeout=_timeout(given),
        asked=asked,
        question=question,
        most=most,
        fields=tuple(map(str, given["fields"][-1].split(","))) if "fields" in given else (),
        shows_frames=len(servers) == 1 and not given.keys() & {"json", "table"},
    )


def _asked(given: Given) -> inquiry.Inquiry | None:
    """Return one of pmacct's questions, or None for a search.

    Raises: UsageError.
    """
    is_search, is_lookup = bool(_SEARCH & given.keys()), bool(_LOOKUP & given.keys())
    if "get-peers" in given:
        if is_search or is_lookup:
            raise UsageError("-g asks for peers, other switches for routes: one of them at a time")
        return inquiry.PEERS
    if is_search:
        return None
    if not is_lookup:
        raise UsageError("no question: -g, -a and -r, or a search")
    if not {"prefix", "peer"} <= given.keys():
        raise UsageError("a look-up needs -a and -r; --search or --match make it a search, which needs neither")
    prefix, peer = given["prefix"][-1], given["peer"][-1]
    read("-a", lambda text: ip_network(text, strict=False), prefix)
    read("-r", ip_address, peer)
    return inquiry.lookup(
        prefix,
        peer,
        port=read("-R", parse_port, given["peer-port"][-1]) if "peer-port" in given else None,
        rd=given["rd"][-1] if "rd" in given else None,
    )


def _most(given: Given) -> int | None:
    """Return how many routes are asked for; None is all.

    Raises: UsageError.
    """
    if "all" in given:
        if "limit" in given:
            raise UsageError("--all and --limit: one of them at a time")
        return None
    if "limit" not in given:
        return DEFAULT_LIMIT
    most = int(read("--limit", number, given["limit"][-1]))
    if not most:
        raise UsageError("--limit: at least 1 is needed")
    return most


def _timeout(given: Given) -> float:
    if "timeout" not in given:
        return DEFAULT_TIMEOUT
    seconds = float(read("--timeout", float, given["timeout"][-1]))
    if not 0 < seconds <= MAX_TIMEOUT:
        raise UsageError(f"--timeout: more than 0 and at most {MAX_TIMEOUT:g} seconds are needed")
    return seconds


def servers_of(given: Given) -> tuple[Server, ...]:
    """Return the looking glasses to ask, each once.

    Raises: UsageError.
    """
    named = given.get("server")
    if named and given.keys() & {"zmq-host", "zmq-port"}:
        raise UsageError("--server, or -z and -Z: not both")
    if named:
        places = [read("--server", parse_address, text) for text in named]
    else:
        port = read("-Z", parse_port, given["zmq-port"][-1]) if "zmq-port" in given else DEFAULT_PORT
        places = [(given.get("zmq-host", [DEFAULT_HOST])[-1], port)]
    if len(places) > MAX_SERVERS:
        raise UsageError(f"--server: at most {MAX_SERVERS} are asked at a time")
    if "client-key" in given and "server-key" not in given:
        raise UsageError("--client-key is of use with --server-key only")
    password = given.get("zmq-passwd", [""])[-1]
    if "passwd-file" in given:
        password = str(read("--passwd-file", first_line, given["passwd-file"][-1]))
    return tuple(
        Server(
            host=host,
            port=port,
            user=given.get("zmq-user", [""])[-1],
            password=password,
            server_key=_path(given, "server-key"),
            client_key=_path(given, "client-key"),
        )
        for host, port in dict.fromkeys(places)
    )


def _path(given: Given, name: str) -> Path | None:
    return Path(given[name][-1]) if name in given else None


def first_line(name: str) -> str:
    """Read the first line of a file.

    Raises: OSError, ValueError.
    """
    with Path(name).open(encoding="utf-8") as file:
        return file.readline(1_024).rstrip("\r\n")


def page_of(given: Given, task: Task, out: TextIO) -> Page:
    """Return how answers are written."""
    with_source = len(task.servers) > 1
    if "table" in given:
        fields = given["fields"][-1].split(",") if "fields" in given else None
        return table_to(out, with_source=with_source, fields=fields)
    return frames_to(out) if task.shows_frames else json_lines_to(out, with_source=with_source)


def version_text() -> str:
    """Write the answer to `-V`."""
    try:
        return f"{NAME} {version('routed-flowcorr')}, Python {sys.version.split()[0]}"
    except PackageNotFoundError:
        return f"{NAME} (not installed), Python {sys.version.split()[0]}"


if __name__ == "__main__":
    sys.exit(main())
