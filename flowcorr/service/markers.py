"""Records that begin and end what a flush writes: `acct_init` and `acct_close` of pmacct."""

import json
from dataclasses import dataclass
from typing import Any, Final

from flowcorr.service.render import Output
from routed.plumbing.avro import Field, Schema, Type

#: Their schemas.
INIT: Final = Schema("acct_init", (Field("event_type", Type.STRING), Field("writer_id", Type.STRING)))
CLOSE: Final = Schema(
    "acct_close",
    (
        *INIT.fields,
        Field("purged_entries", Type.LONG),
        Field("total_entries", Type.LONG),
        Field("duration", Type.LONG),
    ),
)


@dataclass(frozen=True, slots=True)
class Markers:
    """Makes them for one writer, in the encoding of its rows. Text ends with a newline."""

    output: Output
    writer_id: str

    def opening(self) -> bytes:
        """Return the record in front of the rows."""
        return self._encode(INIT, {"event_type": "purge_init", "writer_id": self.writer_id})

    def closing(self, purged: int, total: int, seconds: int) -> bytes:
        """Return the record behind them: rows that were written, of how many entries, in how many seconds."""
        facts = {
            "event_type": "purge_close",
            "writer_id": self.writer_id,
            "purged_entries": purged,
            "total_entries": total,
            "duration": seconds,
        }
        return self._encode(CLOSE, facts)

    def _encode(self, schema: Schema, facts: dict[str, Any]) -> bytes:
        if self.output is Output.AVRO:
            return schema.encode(facts)
        return json.dumps(facts).encode() + b"\n"
