"""What the log says about exporters and what they send; how often is bounded, as they choose how much there is."""

from __future__ import annotations

from dataclasses import asdict
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.model.event import (
    ExporterForgotten,
    ExporterRefused,
    ExporterSeen,
    OptionsRefused,
    SequenceJump,
    TemplateLearnt,
    TemplateRefused,
    TemplateUnknown,
    TemplateWithdrawn,
)
from routed.plumbing.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from routed.plumbing.log import Log

#: Lines of one kind a minute; what is beyond is counted, and told with the first line of the next.
LINES: Final = 20

#: What is said of each event: whether an operator should look at it, and the text.
TEXTS: Final[Mapping[type, tuple[bool, str]]] = {
    ExporterSeen: (False, "[{exporter}] new exporter"),
    ExporterForgotten: (False, "[{exporter}] exporter forgotten: it is silent for long"),
    ExporterRefused: (True, "[{exporter}] exporter refused: {limit} are known already"),
    TemplateLearnt: (False, "[{exporter}] template {template_id} with {fields} fields"),
    TemplateWithdrawn: (False, "[{exporter}] template {template_id} withdrawn"),
    TemplateRefused: (True, "[{exporter}] template refused: {reason}"),
    TemplateUnknown: (False, "[{exporter}] records of template {template_id}, which has not come yet"),
    OptionsRefused: (True, "[{exporter}] options of template {template_id} refused: {reason}"),
    SequenceJump: (True, "[{exporter}] expecting flow '{expected}' but received '{received}'"),
}
#: Versions of sFlow are told apart from those of NetFlow by this.
SFLOW: Final = 100


class ExporterReports:
    """Logs events, each kind so often and no more. `now` is a monotonic clock in seconds."""

    def __init__(self, log: Log, now: Callable[[], float]) -> None:
        self._log, self._now = log, now
        self._limit = RateLimit()

    def __call__(self, event: object) -> None:
        """Log an event, unless there were too many of its kind."""
        kind = type(event)
        held_back = self._limit.admit(kind.__name__, LINES, self._now()) if kind in TEXTS else None
        if held_back is None:
            return
        is_warning, text = TEXTS[kind]
        more = f" ({held_back} more lines like this one were left out)" if held_back else ""
        (self._log.warning if is_warning else self._log.info)(text.format(**_facts(event)) + more)


def _facts(event: Any) -> dict[str, Any]:
    facts = asdict(event)
    version = facts.get("version", 0)
    protocol = f"/sFlow v{version - SFLOW}" if version > SFLOW else f"/v{version}" if version else ""
    return {**facts, "exporter": f"{address_of(facts['address'])}{protocol}:{facts.get('domain', 0)}"}


def address_of(octets: bytes) -> IPv4Address | IPv6Address:
    """Return the address that sixteen octets stand for."""
    if octets.startswith(IPV4_MAPPED):
        return IPv4Address(octets[len(IPV4_MAPPED) :])
    return IPv6Address(octets)
