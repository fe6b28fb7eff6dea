"""The looking glass of a plane: what it answers over ZeroMQ and HTTP, put together from settings."""

from __future__ import annotations

from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from routed.plumbing.sink import PoolThreads
from routed.service.answering import Answerer
from routed.service.commands import Commands, may_command
from routed.service.http_pages import QueryPages, Readiness, StatusPages
from routed.service.isis_answers import IsisAnswers
from routed.service.looking_glass import LookingGlass
from routed.service.measures import measure_process, measure_stores

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.daemon.settings_glass import GlassSettings
    from routed.plumbing.http import Pages
    from routed.plumbing.http_server import HttpServer
    from routed.plumbing.http_settings import HttpSettings
    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry
    from routed.plumbing.zeromq import ZmqServer
    from routed.rib._rib import Rib
    from routed.service.clock import DaemonReactor
    from routed.service.commands import Reload
    from routed.service.isis import Isis
    from routed.service.validation import Validation
    from routed.service.visible import Tables


class Glass:
    """What of a plane can be asked from outside; `show` says what there is to be seen.

    Args:
        daemon: the name of the daemon, as metrics have it.
    """

    def __init__(
        self, reactor: DaemonReactor, settings: GlassSettings, log: Log, metrics: Registry, daemon: str
    ) -> None:
        self._reactor, self._settings, self._log, self._metrics = reactor, settings, log, metrics
        self._daemon = daemon
        self._zmq: ZmqServer | None = None
        self._http: HttpServer | None = None
        self._commands: Commands | None = None

    def show(self, rib: Rib, tables: Tables, validation: Validation | None = None, isis: Isis | None = None) -> None:
        """Let questions about tables be asked; with `validation`, answers say how origins are validated.

        Raises: StartError when a socket or a file that the settings name cannot be had.
        """
        in_thread = PoolThreads(self._reactor)
        answers = None if isis is None else IsisAnswers(isis, in_thread, self._reactor.seconds)
        answerer = Answerer(
            self._reactor, rib, tables, self._settings.render, in_thread, validation=validation, isis=answers
        )
        self._serve_zmq(answerer)
        settings = self._settings.http
        if settings is not None:
            measure_stores(self._metrics, rib, tables)
            queries = QueryPages(answerer)
            self._metrics.add("looking_glass_http", queries.counters)
            self._serve_http(settings, queries.pages(), lambda: tables.end_of_ribs)

    def show_status(self) -> None:
        """Let only the plane itself be asked about: it has no tables.

        Raises: StartError, likewise.
        """
        if self._settings.http is not None:
            self._serve_http(self._settings.http, {}, lambda: 1)

    def serve_reload(self, reload: Reload) -> None:
        """Let those who may ask for a reload."""
        if self._commands is not None:
            self._commands.reload = reload

    def start(self) -> None:
        """Begin to answer over ZeroMQ; over HTTP that begins with the reactor."""
        if self._zmq is not None:
            self._zmq.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._zmq is not None:
            self._zmq.stop()
        if self._http is not None:
            self._http.stop()

    def prepare(self) -> Callable[[], None]:
        """Read the tokens again, in any thread; return what takes them over, in the reactor's.

        Raises: TokenError when that is not possible, and nothing has changed.
        """
        tokens = None if self._http is None else self._http.tokens
        return _nothing if tokens is None else partial(tokens.take, tokens.read_again())

    def _serve_zmq(self, answerer: Answerer) -> None:
        settings = self._settings.looking_glass
        if settings is None:
            return
        from routed.plumbing.zeromq import ZmqServer  # noqa: PLC0415 (a library that no other part needs)

        self._commands = Commands(allowed=may_command(settings))
        glass = LookingGlass(answerer, self._commands)
        self._zmq = ZmqServer(
            self._reactor, settings, lambda frames, reply: glass.answer(frames, reply.send), self._reactor.hurry
        )
        self._metrics.add("looking_glass", glass.counters)
        self._metrics.add("looking_glass_server", self._zmq.counters)
        self._metrics.add("looking_glass_server_connections", self._zmq.warden.counters)
        self._log.info(f"looking glass on {settings.address} port {settings.port}/tcp")

    def _serve_http(self, settings: HttpSettings, queries: Pages, end_of_ribs: Callable[[], int]) -> None:
        from routed.plumbing.http_server import HttpServer  # noqa: PLC0415 (the same)

        measure_process(self._metrics, self._reactor, self._daemon, own_version())
        status = StatusPages(self._metrics, Readiness(self._reactor.seconds, end_of_ribs, settings.ready_time))
        self._http = HttpServer(self._reactor, settings, {**queries, **status.pages()}, self._reactor.hurry)
        self._metrics.add("http", self._http.counters)
        self._log.info(f"looking glass on http://{place_of(settings)}")
        if settings.token_file is None and not settings.address.is_loopback:
            self._log.warning(f"whoever reaches http://{place_of(settings)} may ask: there is no file of tokens")


def _nothing() -> None:
    """Take nothing over."""


def place_of(settings: HttpSettings) -> str:
    """Write where a server is."""
    address = settings.address
    return f"[{address}]:{settings.port}" if address.version == 6 else f"{address}:{settings.port}"


def own_version() -> str:
    """Return which release this is."""
    try:
        return version("routed-flowcorr")
    except PackageNotFoundError:
        return "unknown"
