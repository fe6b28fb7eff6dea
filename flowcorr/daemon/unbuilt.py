"""Keys of flow daemons that do nothing yet: said at start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowcorr.daemon.input_settings import LATER
from routed.plumbing.config import Status
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routed.plumbing.config import Configuration, Setting

#: Beginnings of keys that belong to other daemons and plugins, or tune what works by itself here.
OF_OTHERS: Final = (
    "amqp_",
    "classifier_",
    "kafka_",
    "nfprobe_",
    "pcap_",
    "plugin_",
    "pmacctd_",
    "sfprobe_",
    "sql_",
    "tee_",
    "telemetry_",
    "uacctd_",
)
COLLECTORS: Final = ("nfacctd", "sfacctd")


def keys_are_built(c: Configuration, daemon: str) -> Iterator[Problem]:
    """Tell which keys that were set do nothing yet; `input_is_built` refuses those of inputs."""
    for name, settings in {"": c.settings, **c.of_plugins}.items():
        yield from _unbuilt(c, settings, f"[{name}]" if name else "", daemon)


def _unbuilt(c: Configuration, settings: Mapping[str, Setting], scope: str, daemon: str) -> Iterator[Problem]:
    others = (*OF_OTHERS, *(f"{other}_" for other in COLLECTORS if other != daemon))
    for name, setting in settings.items():
        key = c.registry[name]
        is_input = name.removeprefix(f"{daemon}_") in LATER
        if key.status is not Status.FLOW or name.startswith(others) or key.meaning or is_input:
            continue
        yield Problem(Kind.ADVICE, f"{setting.where} {name}{scope}: not built yet. Ignored.")
