"""How templates are learnt, whoever brings them: their exporter, another collector, or a file of an earlier run.

A template that changes shows its exporter's plans anew, and lets the records go on that have waited for it.
"""

from collections.abc import Callable, Iterable, Iterator

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect._exporters import Exporters
from flowcorr.collect.exporter import Exporter
from flowcorr.collect.parking import ParkedMessage, Parking
from flowcorr.collect.template_lines import TemplateLine
from flowcorr.collect.template_store import TemplateStore, TooManyTemplates
from flowcorr.model import event as model
from flowcorr.wire.template import DECODERS, Template, TemplateError
from routed.octets._cursor import Cursor


class Learning:
    """Learns templates for the exporters of a table.

    Attributes:
        ready: records whose template has come.
    """

    def __init__(
        self, table: Exporters, store: TemplateStore, parking: Parking, report: Callable[[object], None]
    ) -> None:
        self._table, self._store, self._parking, self._report = table, store, parking, report
        self._remembered: dict[tuple[bytes, int, int], list[Template]] = {}
        self.ready: list[ParkedMessage] = []

    def learn_set(self, exporter: Exporter, set_id: int, octets: bytes, offset: int, now: int) -> bool:
        """Learn what a set of templates holds; whether all of it could be read.

        `offset` is where the octets stand in their message, `now` when they came, microseconds since 1970.
        """
        if self._store.refresh(exporter, octets, now):
            return True
        complaints = 0
        is_sound = True
        changed: list[int] = []
        ids: list[int] = []
        try:
            for template in DECODERS[exporter.version][set_id](Cursor(octets, offset)):
                ids.append(template.id)
                complaints += not self._learn(exporter, template, now, changed)
        except TemplateError as error:
            # what the exporter meant is unknown, so its old meaning is not good any more
            complaints, is_sound = complaints + 1, False
            if self._store.withdraw(exporter, error.template_id):
                changed.append(error.template_id)
            self._refuse(exporter, error)
        self._show(exporter, changed)
        if not complaints:
            self._store.remember(exporter, octets, tuple(ids))
        return is_sound

    def learn_one(self, exporter: Exporter, template: Template, heard: int) -> bool:
        """Learn a template that was heard elsewhere, unless another was heard here later; whether it finds room.

        `heard` says when, in microseconds since 1970.
        """
        known = exporter.templates.get(template.id)
        if known is not None and known.refreshed >= heard:
            return True
        changed: list[int] = []
        is_learnt = self._learn(exporter, template, heard, changed)
        self._show(exporter, changed)
        return is_learnt

    def remember(self, lines: Iterable[TemplateLine]) -> None:
        """Know templates of exporters that have not been heard yet, from an earlier run."""
        for line in lines:
            self._remembered.setdefault((line.address, line.version, line.domain), []).append(line.template)

    def remembered(self) -> Iterator[TemplateLine]:
        """Iterate over the templates whose exporters were not heard since."""
        for (address, version, domain), templates in list(self._remembered.items()):
            for template in templates:
                yield TemplateLine(address, version, domain, template)

    def recall(self, exporter: Exporter, now: int) -> None:
        """Give an exporter that is heard the templates of an earlier run."""
        changed: list[int] = []
        for template in self._remembered.pop((exporter.address, exporter.version, exporter.domain), ()):
            self._learn(exporter, template, now, changed)
        self._show(exporter, changed)

    def take_ready(self) -> Datagrams:
        """Return the messages whose template has come, to be read as if they came now."""
        ready, self.ready = self.ready, []
        datagrams = Datagrams(len(ready))
        for message in ready:
            datagrams.append(message.octets, message.sender, message.port, message.arrival, is_parked=True)
        return datagrams

    def _show(self, exporter: Exporter, changed: list[int]) -> None:
        """Let records of an exporter be read by the templates that it has now, if any of them changed."""
        if not changed:
            return
        self._table.set_plans(exporter.slot, {each: known.plan for each, known in exporter.templates.items()})
        for template_id in changed:
            if template_id in exporter.templates:
                self.ready += self._parking.take(exporter.slot, template_id)

    def _learn(self, exporter: Exporter, template: Template, now: int, changed: list[int]) -> bool:
        if not template.fields:
            changed += self._withdraw(exporter, template)
            return True
        try:
            is_new = self._learn_or_make_room(exporter, template, now, changed)
        except TooManyTemplates as error:
            self._refuse(exporter, error)
            return False
        if is_new:
            changed.append(template.id)
            address, version, domain = exporter.address, exporter.version, exporter.domain
            fields = len(template.fields)
            self._report(model.TemplateLearnt(address, version, domain, template.id, fields, template.is_options))
        return True

    def _learn_or_make_room(self, exporter: Exporter, template: Template, now: int, changed: list[int]) -> bool:
        """Keep a template, if need be in place of those that did not come again for long.

        Raises: TooManyTemplates.
        """
        try:
            return self._store.learn(exporter, template, now)
        except TooManyTemplates:
            forgotten = self._store.make_room(exporter, now)
            if not forgotten:
                raise
        changed += forgotten
        return self._store.learn(exporter, template, now)

    def _withdraw(self, exporter: Exporter, template: Template) -> list[int]:
        all_of = {2: False, 3: True}  # RFC 7011 section 8.1: all templates of data, all of options
        if template.id in all_of:
            ids = self._store.withdraw_all(exporter, options=all_of[template.id])
        else:
            ids = [template.id] if self._store.withdraw(exporter, template.id) else []
        for template_id in ids:
            self._report(model.TemplateWithdrawn(exporter.address, exporter.domain, template_id))
        return ids

    def _refuse(self, exporter: Exporter, why: Exception) -> None:
        self._report(model.TemplateRefused(exporter.address, exporter.version, exporter.domain, str(why)))
