"""Records that are aggregated and written at once, and texts that nobody should send."""

import csv
import io
import json
from datetime import UTC
from typing import Any

import numpy as np
from hypothesis import strategies as st

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.column import Kind
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.aggregation import Aggregation, AggregationSettings
from flowcorr.correlate.bins import Length
from flowcorr.correlate.primitives import JSON_ORDER
from flowcorr.service.formats import header, make_renderer
from flowcorr.service.render import Output, RowSettings
from flowcorr.wire.custom_primitive import CustomPrimitive

NOW = 1_790_000_000
SECOND = 1_000_000
EVERYTHING = ", ".join(JSON_ORDER) + ", flows"
FIRST_OF_TEXTS = ("label", "class", "as_path", "std_comm", "vrf_name")


class Rows:
    """Records that are aggregated and written at once."""

    def __init__(self, primitives: str, custom: dict[str, CustomPrimitive] | None = None, **settings: Any) -> None:
        self.aggregate = parse_aggregate(primitives, "nfacctd", custom)
        options = AggregationSettings(history=Length(seconds=60), roundoff="m", zone=UTC, **settings)
        layout = Layout([*ALWAYS, *self.aggregate.columns, *options.columns])
        self.texts = Texts()
        self.aggregation = Aggregation(layout, self.aggregate, self.texts, options, NOW)
        self.batch = Batch(layout, 1024)

    def add(self, **values: Any) -> None:
        columns = self.batch.layout.columns
        for name, value in values.items():
            if columns[name].kind is Kind.TEXT:
                values[name] = self.texts.id_of(value)
        self.batch.append(**values)

    def write(self, **settings: Any) -> bytes:
        self.aggregation.add(self.batch, None, NOW)
        self.batch.clear()
        [flush] = self.aggregation.take_all()
        self.settings = RowSettings(**{"utc": True, **settings})
        renderer = make_renderer(self.aggregate, self.aggregation.plan, self.settings)
        rows = b""
        for bin_ in flush.bins:
            at = 0
            while at < len(bin_):
                at = renderer.render(bin_, at, NOW, full_at=1)
                ends = np.frombuffer(renderer.ends(), np.uint32).tolist()
                assert len(ends) == renderer.rows
                assert not ends or ends[-1] == len(renderer)
                rows += renderer.take()
        self.left_out = renderer.left_out
        return rows

    def json(self, **settings: Any) -> list[dict[str, Any]]:
        lines = self.write(output=Output.JSON, **settings).splitlines(keepends=True)
        assert all(line.endswith(b"}\n") for line in lines)
        return [json.loads(line) for line in lines]

    def csv(self, **settings: Any) -> list[dict[str, str]]:
        text = self.write(output=Output.CSV, **settings)
        head = header(self.aggregate, self.aggregation.plan, self.settings)
        stream = io.StringIO((head + text).decode(), newline="")
        return list(csv.DictReader(stream, delimiter=settings.get("separator", ","), strict=True))


def one_json(primitives: str, values: dict[str, Any], **settings: Any) -> dict[str, Any]:
    rows = Rows(primitives)
    rows.add(**values)
    [row] = rows.json(**settings)
    return row


TEXTS = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from([b",", b"%", b"_", b'"', b"\\", b"\n", b"\0", b"x", b"\xff", b"\xed\xa0\x80"])).map(
        b"".join
    ),
)


def cleaned(text: bytes) -> str:
    """Return a text as a reader has to see it: each octet that is no UTF-8 replaced."""
    shown = []
    at = 0
    while at < len(text):
        for octets in (1, 2, 3, 4):
            try:
                shown.append(text[at : at + octets].decode())
            except UnicodeDecodeError:
                continue
            at += octets
            break
        else:
            shown.append("\N{REPLACEMENT CHARACTER}")
            at += 1
    return "".join(shown)
