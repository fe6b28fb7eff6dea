"""Metrics as the text that Prometheus reads.

Source: the text exposition format of Prometheus, version 0.0.4.
"""

from collections.abc import Iterator
from typing import Final

from routed.plumbing.metrics import NAMESPACE, Family, Kind, Labels, Metric, Registry

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Readings that are written together: a fraction of a millisecond of work.
READINGS_AT_ONCE: Final = 200
CUT: Final = Metric(f"{NAMESPACE}_metrics_cut", Kind.GAUGE, "Metrics that have more readings than are listed")

_VALUE_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


def expose(registry: Registry) -> Iterator[bytes]:
    """Write all metrics, a little at a time, so that other things may happen in between."""
    cut: list[str] = []
    for family in registry.families():
        yield from _family(family)
        if family.is_cut:
            cut.append(family.metric.name)
    lines = [_head(CUT), *(_line(CUT.name, (("metric", name),), 1) for name in cut)]
    yield "".join(lines).encode()


def _family(family: Family) -> Iterator[bytes]:
    metric, readings = family.metric, family.readings
    head = _head(metric)
    for at in range(0, max(1, len(readings)), READINGS_AT_ONCE):
        lines = (_line(metric.name, labels, value) for labels, value in readings[at : at + READINGS_AT_ONCE])
        yield (head + "".join(lines)).encode()
        head = ""


def _head(metric: Metric) -> str:
    return f"# HELP {metric.name} {metric.meaning.translate(_HELP_ESCAPES)}\n# TYPE {metric.name} {metric.kind.value}\n"


def _line(name: str, labels: Labels, value: float) -> str:
    if not labels:
        return f"{name} {value!r}\n"
    text = ",".join(f'{key}="{word.translate(_VALUE_ESCAPES)}"' for key, word in labels)
    return f"{name}{{{text}}} {value!r}\n"
