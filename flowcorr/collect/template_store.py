"""The templates of exporters, within ceilings.

Equal templates share a plan, whoever sent them: ten thousand routers of one make have a handful of plans.
"""

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from flowcorr.collect.exporter import Exporter, KnownTemplate
from flowcorr.collect.limits import (
    LOOK_AGAIN_US,
    MOST_FIELDS_OF_ALL,
    MOST_TEMPLATE_FIELDS,
    MOST_TEMPLATES,
    TEMPLATE_LIFETIME_US,
)
from flowcorr.collect.template_changes import TemplateChanges
from flowcorr.wire.plan import PlanMaker
from flowcorr.wire.template import Template

if TYPE_CHECKING:
    from flowcorr.wire._plan import Plan

#: Sets of templates that are remembered as they came, so that their repetition costs nothing.
_MOST_SEEN_SETS = 64


class TooManyTemplates(ValueError):  # noqa: N818 (a verdict)
    """A template finds no room."""


class TemplateStore:
    """Learns and forgets templates.

    Attributes:
        fields: of all templates of all exporters.
        count: templates of all exporters.
        changes: their order.
    """

    def __init__(self, maker: PlanMaker) -> None:
        self._maker = maker
        self._plans: WeakValueDictionary[Template, Plan] = WeakValueDictionary()
        self.fields = 0
        self.count = 0
        self.changes = TemplateChanges()

    def learn(self, exporter: Exporter, template: Template, now: int) -> bool:
        """Keep a template; whether it is new or differs from the one it replaces.

        Raises: TooManyTemplates when it finds no room; one that it would replace stays.
        """
        known = exporter.templates.get(template.id)
        if known is not None and known.template == template:
            known.refreshed = now
            return False
        replaced = len(known.template.fields) if known is not None else 0
        more = len(template.fields) - replaced
        if known is None and len(exporter.templates) >= MOST_TEMPLATES:
            raise TooManyTemplates(f"{MOST_TEMPLATES} templates are known")
        if exporter.fields + more > MOST_TEMPLATE_FIELDS:
            raise TooManyTemplates(f"templates with {MOST_TEMPLATE_FIELDS} fields are known")
        if self.fields + more > MOST_FIELDS_OF_ALL:
            raise TooManyTemplates(f"templates of all exporters with {MOST_FIELDS_OF_ALL} fields are known")
        plan = self._plans.get(template)
        if plan is None:
            plan = self._plans[template] = self._maker.plan(template)
        learnt = exporter.templates[template.id] = KnownTemplate(template, plan, now)
        self.count += known is None
        self.changes.note(exporter, learnt, self.count)
        self._count(exporter, more)
        return True

    def withdraw(self, exporter: Exporter, template_id: int) -> bool:
        """Forget a template; whether it was known."""
        known = exporter.templates.pop(template_id, None)
        if known is None:
            return False
        self.count -= 1
        self._count(exporter, -len(known.template.fields))
        return True

    def withdraw_all(self, exporter: Exporter, *, options: bool) -> list[int]:
        """Forget all templates of data, or of options (RFC 7011 section 8.1); return their ids."""
        ids = [each for each, known in exporter.templates.items() if known.template.is_options is options]
        for each in ids:
            self.withdraw(exporter, each)
        return ids

    def forget(self, exporter: Exporter) -> None:
        """Forget everything of an exporter."""
        for template_id in list(exporter.templates):
            self.withdraw(exporter, template_id)

    def refresh(self, exporter: Exporter, octets: bytes, now: int) -> bool:
        """Note that a set of templates came again as before; False when it must be decoded."""
        ids = exporter.seen_sets.get(octets)
        if ids is None:
            return False
        for template_id in ids:
            if (known := exporter.templates.get(template_id)) is not None:
                known.refreshed = now
        return True

    def make_room(self, exporter: Exporter, now: int) -> list[int]:
        """Forget templates of an exporter that did not come again for long; return their ids.

        They are looked for once a second, so that an exporter without end to its templates costs little.
        """
        if exporter.aged <= now < exporter.aged + LOOK_AGAIN_US:
            return []
        exporter.aged = now
        oldest = now - TEMPLATE_LIFETIME_US
        ids = [each for each, known in exporter.templates.items() if known.refreshed < oldest]
        for each in ids:
            self.withdraw(exporter, each)
        return ids

    def remember(self, exporter: Exporter, octets: bytes, ids: tuple[int, ...]) -> None:
        """Note a set of templates that was decoded without complaint."""
        if len(exporter.seen_sets) < _MOST_SEEN_SETS:
            exporter.seen_sets[octets] = ids

    def _count(self, exporter: Exporter, more: int) -> None:
        exporter.seen_sets.clear()
        exporter.fields += more
        self.fields += more
