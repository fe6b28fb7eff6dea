"""The intake of flows: received datagrams become rows.

Records are read by the compiled walk (`_walk.pyx`); here stand the answers to what interrupts it: exporters are met and
forgotten, templates learnt, options kept, records without a template parked.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from flowcorr.collect import limits, told
from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect._exporters import Exporters
from flowcorr.collect._netflow_walk import NetflowWalk
from flowcorr.collect._sflow_walk import SflowWalk
from flowcorr.collect._walk import EVENTS, Walk
from flowcorr.collect.exporter import Exporter, Sender
from flowcorr.collect.learning import Learning
from flowcorr.collect.parking import ParkedMessage, Parking
from flowcorr.collect.settings import Allow, IntakeSettings, MappedRates, RateMap
from flowcorr.collect.template_lines import TemplateLine
from flowcorr.collect.template_sets import TemplateSet
from flowcorr.collect.template_store import TemplateStore
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.layout import Layout
from flowcorr.model import event as model
from flowcorr.wire import netflow5
from flowcorr.wire._facts import FactsRoom
from flowcorr.wire.options import read_options
from flowcorr.wire.plan import PlanMaker
from flowcorr.wire.sample_plan import sample_plan
from routed.octets.errors import WireError

_IPFIX: Final = 10
#: Idle exporters looked for at once when the table is full.
_ROOM_AT_ONCE: Final = 256


def _allow_all(_address: bytes) -> bool:
    return True


def _no_rates(_address: bytes) -> MappedRates:
    return MappedRates()


class Intake:
    """Turns datagrams into rows of a batch.

    Attributes:
        exporters: by slot, the number that rows carry.
        changed: slots that are new, forgotten or have another address since somebody emptied it.
        parking: records that wait for their template.
        templates: of all exporters.
        met: exporters that were ever met.
        exporters_refused: datagrams of exporters that found no room.
        not_allowed: datagrams of senders that may not send.
    """

    def __init__(
        self,
        layout: Layout,
        texts: Texts,
        settings: IntakeSettings | None = None,
        *,
        allow: Allow = _allow_all,
        rates: RateMap = _no_rates,
        report: Callable[[object], None] = lambda _event: None,
    ) -> None:
        self._settings = settings or IntakeSettings()
        self._texts = texts
        self._allow = allow
        self._rates = rates
        self._report = report
        maker = PlanMaker(layout, self._settings.decode)
        self._v5_plan = maker.plan(netflow5.TEMPLATE, is_v5=True)
        self._table = Exporters(layout, self._settings.most_exporters)
        if self._settings.is_sflow:
            samples = sample_plan(layout, self._settings.decode)
            self._walk: Walk = SflowWalk(self._table, texts, self._settings, samples)
        else:
            self._walk = NetflowWalk(self._table, texts, self._settings, self._v5_plan)
        self._senders: dict[bytes, Sender] = {}
        self._facts_room = FactsRoom(limits.MOST_FACTS_OF_ALL)
        self._walking: Datagrams | None = None
        self._looked_at = -limits.LOOK_AGAIN_US
        self.templates = TemplateStore(maker)
        self.parking = Parking()
        self._learning = Learning(self._table, self.templates, self.parking, report)
        self.exporters: dict[int, Exporter] = {}
        self.changed: set[int] = set()
        self.met = 0
        self.exporters_refused = 0
        self.not_allowed = 0
        self._answers: dict[int, Callable[[], None]] = {
            EVENTS["unknown exporter"]: self._meet,
            EVENTS["templates"]: self._learn,
            EVENTS["options"]: self._keep_options,
            EVENTS["unknown template"]: self._park,
            EVENTS["sequence"]: self._report_sequence,
            EVENTS["counters"]: self._report_counters,
        }

    # the walk

    def take(self, datagrams: Datagrams, batch: Batch) -> bool:
        """Read datagrams into rows; True when all of them are read.

        False: the batch is full; whoever has worked on its rows and cleared it calls again with the same datagrams.
        """
        if self._walking is None:
            self._walking = datagrams
            self._walk.start(datagrams)
        elif self._walking is not datagrams:
            raise ValueError("other datagrams are not walked to their end")
        while True:
            what = self._walk.walk(batch)
            if what == EVENTS["full"]:
                return False
            if what != EVENTS["done"]:
                self._answers[what]()
            elif self._learning.ready:
                self._walk.start(self._learning.take_ready())
            else:
                self._walking = None
                return True

    def leave(self) -> bool:
        """Leave the datagram at hand, which `take` failed for; False when there is nothing to be read behind it."""
        if self._walk.leave():
            return True
        self._walking = None
        return False

    # exporters

    def _meet(self) -> None:
        sender, port, now = self._walk.sender
        if self._exporter_of(self._walk.address, sender, port, self._walk.version, self._walk.domain, now) is None:
            self._walk.refuse()

    def _exporter_of(  # noqa: PLR0917 (what tells exporters apart)
        self, address: bytes, sender: bytes, port: int, version: int, domain: int, now: int
    ) -> Exporter | None:
        """Return an exporter, whether it was known or not; None for one that may not send or finds no room."""
        if not self._allow(sender):
            self.not_allowed += 1
            return None
        known = self._table.slot_of(address, version, domain)
        if known is not None:
            self._table.set_sender(known, sender)
            self.exporters[known].sends = sender
            return self.exporters[known]
        if len(self._table) == self._table.capacity and not self._make_room(address, version, domain, now):
            self.exporters_refused += 1
            return None
        exporter = self._add(address, port, version, domain)
        self._table.set_sender(exporter.slot, sender)
        exporter.sends = sender
        self._learning.recall(exporter, now)
        return exporter

    def _add(self, address: bytes, port: int, version: int, domain: int) -> Exporter:
        sender = self._senders.setdefault(address, Sender(address))
        slot = self._table.add(address, version, domain, port)
        exporter = Exporter(slot, address, address, port, version, domain, sender)
        sender.exporters[slot] = exporter
        self.exporters[slot] = exporter
        self.met += 1
        self._show_facts(exporter)
        self._show_address(exporter)
        self._report(model.ExporterSeen(address, version, domain))
        return exporter

    def _show_address(self, exporter: Exporter) -> None:
        compared = exporter.compared_address
        shown = exporter.address if self._settings.decode.ignore_exporter_address else compared
        self._table.set_address(exporter.slot, shown, compared)
        mapped = self._rates(compared)
        self._table.set_rates(exporter.slot, mapped.rate, list(mapped.rules))
        self.changed.add(exporter.slot)

    def _show_facts(self, exporter: Exporter) -> None:
        self._table.set_facts(exporter.slot, exporter.facts, exporter.sender.facts)

    def _make_room(self, address: bytes, version: int, domain: int, now: int) -> bool:
        """Forget idle exporters; looked for once a second, so that a crowd of senders costs little."""
        if self._looked_at <= now < self._looked_at + limits.LOOK_AGAIN_US:
            return False
        self._looked_at = now
        for slot in self._table.idle(now - limits.IDLE_US, _ROOM_AT_ONCE):
            self._forget(self.exporters[slot])
        has_room = len(self._table) < self._table.capacity
        if not has_room:
            self._report(model.ExporterRefused(address, version, domain, self._table.capacity))
        return has_room

    def _forget(self, exporter: Exporter) -> None:
        self.templates.forget(exporter)
        self.parking.forget(exporter.slot)
        self._table.forget(exporter.slot)
        del self.exporters[exporter.slot]
        self.changed.add(exporter.slot)
        exporter.facts = None  # changes of its templates name it for a while, and names that it told take room
        del exporter.sender.exporters[exporter.slot]
        if not exporter.sender.exporters:
            exporter.sender.facts = None
            del self._senders[exporter.address]
        self._report(model.ExporterForgotten(exporter.address, exporter.version, exporter.domain))

    def age(self, now: int) -> None:
        """Forget exporters and parked records that are too old; between two calls of `take` that return True.

        Args:
            now: microseconds since 1970.
        """
        self.parking.expire(now)
        for slot in self._table.idle(now - limits.FORGET_US, self._table.capacity):
            self._forget(self.exporters[slot])

    def set_allow(self, allow: Allow) -> None:
        """Let other senders in from now on; those that no longer may send are forgotten."""
        self._allow = allow
        for exporter in list(self.exporters.values()):
            if not allow(exporter.sends):
                self._forget(exporter)

    def set_rates(self, rates: RateMap) -> None:
        """Use another sampling map from now on."""
        self._rates = rates
        for exporter in self.exporters.values():
            self._show_address(exporter)

    # templates

    def _learn(self) -> None:
        exporter, walk = self.exporters[self._walk.exporter], self._walk
        _, _, now = walk.sender
        is_sound = self._learning.learn_set(exporter, walk.set_id, walk.octets, walk.offset, now)
        if is_sound and self._settings.report_templates:
            address, version, domain = exporter.address, exporter.version, exporter.domain
            self._report(model.TemplatesHeard(address, version, domain, walk.header, walk.set_id, walk.octets))

    def learn(self, found: TemplateSet, address: bytes, port: int, now: int) -> bool:
        """Learn templates that another collector passes on; whether they are sound and their exporter may send.

        Between two calls of `take` that return True. The address has sixteen octets, `now` is microseconds since 1970.
        """
        exporter = self._exporter_of(address, address, port, found.version, found.domain, now)
        if exporter is None:
            return False
        self._table.see(exporter.slot, now)
        return self._learning.learn_set(exporter, found.set_id, found.octets, found.offset, now)

    def learn_line(self, line: TemplateLine, heard: int, now: int) -> bool:
        """Learn a template that another collector heard, unless we heard one later; whether there is room for it.

        Between two calls of `take` that return True. `heard`, when its exporter sent it, is not in the future; both are
        microseconds since 1970.
        """
        exporter = self._exporter_of(line.address, line.address, 0, line.version, line.domain, now)
        if exporter is None:
            return False
        self._table.see(exporter.slot, heard)
        return self._learning.learn_one(exporter, line.template, heard)

    @property
    def waits(self) -> bool:
        """Whether records are there whose template has come: the next `take` reads them."""
        return bool(self._learning.ready)

    def remember(self, lines: Iterable[TemplateLine]) -> None:
        """Know templates of exporters that have not been heard yet, from an earlier run."""
        self._learning.remember(lines)

    def template_lines(self) -> Iterator[TemplateLine]:
        """Iterate over all templates, those of an earlier run too whose exporters were not heard since.

        They may change meanwhile: what comes or goes then may be left out.
        """
        yield from self._learning.remembered()
        for exporter in list(self.exporters.values()):
            for known in list(exporter.templates.values()):
                yield TemplateLine(exporter.address, exporter.version, exporter.domain, known.template)

    # options

    def _keep_options(self) -> None:
        exporter = self.exporters[self._walk.exporter]
        template = exporter.templates[self._walk.set_id].template
        everywhere = self._settings.options_are_global or template.has_system_scope
        shows_facts = exporter.has_facts(everywhere=everywhere)
        facts = exporter.facts_of(self._texts, self._facts_room, everywhere=everywhere)
        address = None
        try:
            for record in read_options(template, self._walk.octets):
                told.keep(record, facts)
                address = told.told_address(record) or address
        except WireError as error:
            self._report(model.OptionsRefused(exporter.address, exporter.domain, template.id, str(error)))
        affected = exporter.sender.exporters.values() if everywhere else (exporter,)
        if not shows_facts:
            for each in affected:
                self._show_facts(each)
        if address is not None and self._keeps_address(exporter, address, everywhere=everywhere):
            for each in affected:
                self._show_address(each)

    def _keeps_address(self, exporter: Exporter, address: bytes, *, everywhere: bool) -> bool:
        """Keep the address that an exporter told; whether it is another one than before.

        Of a sender as a whole it does not change again at once, as it is shown to all of its domains.
        """
        holder: Exporter | Sender = exporter
        if everywhere:
            _, _, now = self._walk.sender
            holder = sender = exporter.sender
            if sender.told_at <= now < sender.told_at + limits.TOLD_AGAIN_US:
                return False
            sender.told_at = now
        changes = holder.told_address != address
        holder.told_address = address
        return changes

    # records without a template

    def _park(self) -> None:
        exporter = self.exporters[self._walk.exporter]
        template_id, header, octets = self._walk.set_id, self._walk.header, self._walk.octets
        sender, port, now = self._walk.sender
        if template_id not in exporter.templates:
            self._report(model.TemplateUnknown(exporter.address, exporter.version, exporter.domain, template_id))
        length = len(octets) + 4
        if exporter.version == _IPFIX:
            header = header[:2] + (len(header) + length).to_bytes(2) + header[4:]
        message = header + template_id.to_bytes(2) + length.to_bytes(2) + octets
        self.parking.park(exporter.slot, template_id, ParkedMessage(message, sender, port, now))

    def _report_sequence(self) -> None:
        exporter = self.exporters[self._walk.exporter]
        self._report(
            model.SequenceJump(
                exporter.address, exporter.version, exporter.domain, self._walk.expected, self._walk.received
            )
        )

    def _report_counters(self) -> None:
        exporter = self.exporters[self._walk.exporter]
        _, _, now = self._walk.sender
        walk = self._walk
        self._report(
            model.CounterSample(exporter.address, exporter.version, exporter.domain, walk.received, now, walk.octets)
        )

    # counters

    @property
    def refused(self) -> dict[str, int]:
        """Datagrams, sets and records that were refused, by reason."""
        reasons = dict(self._walk.refused)
        reasons["exporter refused"] -= self.not_allowed
        return reasons | {
            "not allowed": self.not_allowed,
            "no room to wait for a template": self.parking.refused,
            "no room for what options tell": self._facts_room.refused,
        }

    @property
    def walked(self) -> int:
        """Datagrams that were read."""
        return self._walk.walked

    @property
    def walked_octets(self) -> int:
        """Octets of them."""
        return self._walk.walked_octets

    @property
    def rows(self) -> int:
        """Records that became rows."""
        return self._walk.rows

    @property
    def unknown_sets(self) -> int:
        """Sets of records whose template was unknown when they came."""
        return self._walk.unknown_sets

    @property
    def samples_skipped(self) -> int:
        """Samples of sFlow that are of no kind that becomes a flow or counters."""
        return self._walk.samples_skipped

    def statistics(self, slot: int) -> dict[str, int]:
        """Return the counters of an exporter by name."""
        return dict(self._table.statistics(slot))
