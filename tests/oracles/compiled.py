"""The compiled UPDATE path behind the same few calls that the oracle has: the only place that knows its interface."""

from dataclasses import dataclass

from routed.rib._dump import Snapshot
from routed.rib._rib import PeerRib, Rib, sweep_all
from routed.rib._rows import Rows
from routed.rib._update import apply
from tests.oracles.attributes import Context, Verdict
from tests.oracles.nlri import Family
from tests.oracles.rows import Style

#: The head of every row, as the message log has it; what stands before it is the sequence number.
TIMESTAMP = "2026-11-20 15:10:56.904753"
PEER = '"peer_ip_src": "192.0.2.9", "peer_tcp_port": 179, '

FAMILIES: tuple[Family, ...] = tuple((afi, safi) for afi in (1, 2) for safi in (1, 2, 4, 128))

VERDICTS = {
    "attribute-discard": Verdict.ATTRIBUTE_DISCARD,
    "treat-as-withdraw": Verdict.TREAT_AS_WITHDRAW,
    "session-reset": Verdict.SESSION_RESET,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run of UPDATEs did."""

    announced: int
    unchanged: int
    withdrawn: int
    unknown: int
    dropped: int
    end_of_rib: tuple[Family, ...]
    refused: dict[tuple[int, Verdict], int]
    reset: bool
    rows: list[str]

    @property
    def verdict(self) -> Verdict:
        """The strongest verdict of the run."""
        return max((verdict for _, verdict in self.refused), default=Verdict.ACCEPT)


class CompiledPeer:
    """One peer of a fresh set of stores."""

    def __init__(self, context: Context, style: Style | None = None) -> None:
        style = style or Style()
        self.rib = Rib(0x0123456789ABCDEF)
        self.peer = PeerRib(
            self.rib,
            as4=context.as4,
            external=context.external,
            add_path=sum(1 << FAMILIES.index(family) for family in context.add_path),
        )
        self.rows = Rows(
            as_path_array=style.as_path_as_array,
            communities_array=style.comms_as_array,
            communities_numeric=style.comms_num,
            origin_integer=style.origin_int,
        )

    def apply(self, updates: bytes) -> Taken:
        """Apply a run of whole UPDATE messages."""
        self.rows.log(TIMESTAMP.encode(), PEER.encode(), b"")
        applied = apply(self.peer, updates, self.rows)
        return Taken(
            applied.announced,
            applied.unchanged,
            applied.withdrawn,
            applied.unknown,
            applied.dropped,
            tuple(applied.end_of_rib),
            {(code, VERDICTS[verdict]): count for (code, verdict), count in applied.refused.items()},
            applied.reset is not None,
            self.rows.take().decode().splitlines(),
        )

    def snapshot(self) -> Snapshot:
        """Open the peer's tables as they are now."""
        return Snapshot(self.peer)

    def dump(self, snapshot: Snapshot) -> list[str]:
        """Read a snapshot to its end and close it; the rows of its routes in their order."""
        self.rows.dump(TIMESTAMP.encode(), PEER.encode(), b"")
        while snapshot.render(self.rows, 3):
            continue
        snapshot.close()
        return self.rows.take().decode().splitlines()

    def sweep(self) -> list[str]:
        """Take the peer away; the rows of its routes."""
        self.rows.log(TIMESTAMP.encode(), PEER.encode(), b"")
        for family, table in self.peer.detach():
            while not sweep_all(self.rib, family, table, 7, self.rows):
                continue
        return self.rows.take().decode().splitlines()

    def held(self) -> dict[str, int]:
        """What the stores hold: all zero when nothing is stored."""
        prefixes = sum(len(index) for index in self.rib.prefixes)
        return {"routes": len(self.peer), "prefixes": prefixes, "paths": len(self.rib.paths)}
