"""What origins are validated by: a file or caches, put together from settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import ensureDeferred

from routed.plumbing.log import Level, LogLine
from routed.plumbing.maps import MapError, MapFile
from routed.plumbing.sink import PoolThreads, log_bug
from routed.service.peer_maps import KeyOwner, parse_md5_keys
from routed.service.roas_file import read_roas
from routed.service.rtr_connector import RtrConnector
from routed.service.slurm import parse_slurm
from routed.service.tls_client import TlsClient
from routed.service.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry
    from routed.rib.payload_set import PayloadSet
    from routed.service.clock import DaemonReactor
    from routed.service.rtr_connector import RtrSettings
    from routed.service.slurm import Slurm
    from routed.service.tls_client import TlsClientFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class RpkiSettings:
    """Where payloads come from: a file or caches; and what becomes of them.

    `logs_changes`: a route whose status changes because payloads do gets a row of its own in the message log.
    `adds_aspa`: records say what providers make of paths.
    """

    roas_file: Path | None
    slurm_file: Path | None
    rtr: RtrSettings | None
    md5_file: Path | None
    tls: TlsClientFiles | None
    logs_changes: bool
    adds_aspa: bool


@dataclass(frozen=True, slots=True)
class Files:
    """What the files say that belong to origin validation, and what to log about them."""

    exceptions: Slurm | None = None
    md5_keys: Mapping[KeyOwner, bytes] = field(default_factory=dict)
    payloads: PayloadSet | None = None  # None: there is no such file
    lines: tuple[LogLine, ...] = ()


class Rpki:
    """Payloads as the settings want them.

    Raises: MapError, TlsError when local exceptions, keys or certificates cannot be read.
    """

    def __init__(self, reactor: DaemonReactor, settings: RpkiSettings, log: Log, metrics: Registry) -> None:
        self._settings, self._log = settings, log
        self._files = read_files(settings, needs_payloads=False)
        in_thread = PoolThreads(reactor)
        self.validation = Validation(in_thread, lambda: self._files.exceptions, adds_aspa=settings.adds_aspa)
        metrics.add("rpki", self.validation.counters)
        self._connector: RtrConnector | None = None
        if settings.rtr is not None:
            self._connector = RtrConnector(
                reactor,
                settings.rtr,
                self.validation,
                in_thread=in_thread,
                log=log,
                md5_keys=lambda: self._files.md5_keys,
                tls=None if settings.tls is None else TlsClient(settings.tls, reactor),
            )
            metrics.add("rpki_rtr", self._connector.counters)
        log.write_all(self._files.lines)
        if self._files.payloads is not None:
            self.validation.load(self._files.payloads)
            self._report_loaded()

    @property
    def logs_changes(self) -> bool:
        """Tell whether changes of statuses are logged."""
        return self._settings.logs_changes

    def start(self) -> None:
        """Begin to connect to caches."""
        if self._connector is not None:
            self._connector.start()

    def stop(self) -> None:
        """End the sessions with caches."""
        if self._connector is not None:
            self._connector.stop()

    def prepare(self) -> Callable[[], None]:
        """Read all files again, in any thread; return what takes them over, in the reactor's.

        Raises: MapError when one cannot be read, and nothing has changed.
        """
        return partial(self._take_over, read_files(self._settings, needs_payloads=True))

    def _take_over(self, files: Files) -> None:
        self._files = files
        self._log.write_all(files.lines)
        ensureDeferred(self._replace(files.payloads)).addErrback(log_bug, "the reload of payloads")

    async def _replace(self, payloads: PayloadSet | None) -> None:
        if payloads is None:
            await self.validation.renew()
            return
        await self.validation.replace(payloads)
        self._report_loaded()

    def _report_loaded(self) -> None:
        ipv4, ipv6 = self.validation.current.vrps.counts
        entries = f"{ipv4} IPv4 and {ipv6} IPv6 payloads, {len(self.validation.current.aspas)} ASPAs"
        self._log.info(f"[{self._settings.roas_file}] map successfully (re)loaded: {entries}.")


def read_files(settings: RpkiSettings, *, needs_payloads: bool) -> Files:
    """Read all files.

    Without `needs_payloads`, a daemon that starts runs without them, as the compatible implementation does, and every
    origin is unknown.
    Raises: MapError.
    """
    exceptions: Slurm | None = None
    keys: Mapping[KeyOwner, bytes] = {}
    payloads: PayloadSet | None = None
    lines: tuple[LogLine, ...] = ()
    if settings.slurm_file is not None:
        slurm = MapFile(settings.slurm_file, parse_slurm)
        lines += slurm.load()
        exceptions = slurm.content
    if settings.md5_file is not None:
        md5 = MapFile(settings.md5_file, parse_md5_keys)
        lines += md5.load()
        keys = md5.content
    if settings.roas_file is not None:
        lines += (LogLine(Level.INFO, f"[{settings.roas_file}] (re)loading map."),)
        try:
            loaded = read_roas(settings.roas_file)
        except MapError as error:
            if needs_payloads:
                raise
            lines += (LogLine(Level.ERROR, f"{error}: every origin is unknown"),)
        else:
            payloads = loaded.content
            lines += loaded.lines
    return Files(exceptions, keys, payloads, lines)
