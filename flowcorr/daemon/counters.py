"""The log of counter samples, put together from settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowcorr.service.counter_log import CounterLog
from routed.plumbing.sink import FileOptions, InThread, Watch, report_sink
from routed.plumbing.sink_file import FileSink

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from flowcorr.daemon.settings import CounterSettings
    from routed.plumbing.log import Log
    from routed.plumbing.output_file import Owner


def make_counter_log(
    settings: CounterSettings, clock: IReactorTime, in_thread: InThread, owner: Owner, log: Log
) -> CounterLog:
    """Make the log; its files begin with the first sample that goes there."""
    options, watch = FileOptions(owner=owner), Watch(on_state=partial(report_sink, log))

    def open_sink(name: str) -> FileSink:
        return FileSink(name, clock=clock, in_thread=in_thread, watch=watch, options=options)

    return CounterLog(settings.file, open_sink, settings.exact)
