"""Exporters as Python knows them: what they told, and their templates."""

from dataclasses import dataclass, field

from flowcorr.columns._texts import Texts
from flowcorr.wire._facts import Facts, FactsRoom
from flowcorr.wire._plan import Plan
from flowcorr.wire.template import Template


@dataclass(slots=True)
class KnownTemplate:
    """A template and how its records are read."""

    template: Template
    plan: Plan
    refreshed: int  # when it came last, microseconds since 1970
    number: int = 0  # of its last change, see `template_changes.py`


@dataclass(slots=True)
class Sender:
    """An address that exporters send from; what is told of it as a whole holds for all of its domains.

    Attributes:
        exporters: those domains, by slot.
        told_at: when options last told its own address, microseconds since 1970.
    """

    address: bytes
    exporters: "dict[int, Exporter]" = field(default_factory=dict)
    facts: Facts | None = None
    told_address: bytes | None = None
    told_at: int = 0


@dataclass(slots=True, weakref_slot=True)
class Exporter:
    """One domain of one sender in one version of a protocol.

    Attributes:
        slot: its number in rows.
        address: of the sender, sixteen octets; of sFlow, of the agent.
        sends: who sends its datagrams: of sFlow not always the agent.
        version: of the protocol; of sFlow 100 more, so that they are not those of NetFlow.
        templates: by id.
        fields: of all its templates.
        seen_sets: sets of templates that came before and changed nothing since, and the ids in each.
        aged: when templates were last looked for that make room, microseconds since 1970.
        facts: what its options told of this domain.
        told_address: its own address, if options told one of this domain.
    """

    slot: int
    address: bytes
    sends: bytes
    port: int
    version: int
    domain: int
    sender: Sender
    templates: dict[int, KnownTemplate] = field(default_factory=dict)
    fields: int = 0
    seen_sets: dict[bytes, tuple[int, ...]] = field(default_factory=dict)
    aged: int = 0
    facts: Facts | None = None
    told_address: bytes | None = None

    @property
    def compared_address(self) -> bytes:
        """The address that maps compare with their `ip`: told in options, or else the sender's."""
        return self.told_address or self.sender.told_address or self.address

    def has_facts(self, *, everywhere: bool) -> bool:
        """Whether facts of this domain are kept, or of the sender as a whole."""
        return (self.sender if everywhere else self).facts is not None

    def facts_of(self, texts: Texts, room: FactsRoom, *, everywhere: bool) -> Facts:
        """Return where facts of this domain are kept, or of the sender as a whole."""
        holder = self.sender if everywhere else self
        if holder.facts is None:
            holder.facts = Facts(texts, room)
        return holder.facts
