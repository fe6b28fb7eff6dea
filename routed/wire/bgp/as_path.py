"""AS paths: the value of AS_PATH and AS4_PATH, the merge of the two, and their text.

A path is a tuple of segments as they stand on the wire, so that encoding gives back what was decoded; the text and the
length see through the segmentation, as an operator does.

Sources: RFC 4271 sections 4.3 and 9.1.2.2, RFC 5065 section 3 (confederations), RFC 6793 (four-octet AS numbers).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from routed.octets import CodePoint, Cursor, WireError, Writer
from routed.wire.bgp.codepoints import AS_TRANS, MAX_AS2

#: AS numbers that one segment can hold: its count is one octet (RFC 4271 section 4.3).
MAX_SEGMENT_LENGTH: Final = 255


class SegmentType(CodePoint):
    """Path segment types (RFC 4271 section 4.3, RFC 5065 section 3)."""

    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4


#: How each segment type is printed: what opens it, what separates its members, what closes it.
_MARKS: Final = {
    SegmentType.AS_SET: ("{", ",", "}"),
    SegmentType.AS_SEQUENCE: ("", " ", ""),
    SegmentType.AS_CONFED_SEQUENCE: ("(", " ", ")"),
    SegmentType.AS_CONFED_SET: ("[", ",", "]"),
}
_SETS: Final = frozenset({SegmentType.AS_SET, SegmentType.AS_CONFED_SET})
_CONFEDERATION: Final = frozenset({SegmentType.AS_CONFED_SEQUENCE, SegmentType.AS_CONFED_SET})


@dataclass(frozen=True, slots=True)
class Segment:
    """One path segment; `numbers` in wire order."""

    type: SegmentType
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AsPath:
    """The AS_PATH attribute, whatever width its numbers have on the wire."""

    segments: tuple[Segment, ...] = ()

    @property
    def length(self) -> int:
        """Length as route selection counts it: a set is 1, confederation segments are 0 (RFC 5065 section 5.3)."""
        return sum(_weight(segment) for segment in self.segments)

    @property
    def origin_as(self) -> int | None:
        """AS that originated the route; None when the path is empty or ends in a set of several."""
        if not self.segments:
            return None
        last = self.segments[-1]
        return None if last.type in _SETS and len(last.numbers) > 1 else last.numbers[-1]


@dataclass(frozen=True, slots=True)
class As4Path:
    """The AS4_PATH attribute, which carries four-octet numbers past routers that know two (RFC 6793 section 3)."""

    segments: tuple[Segment, ...] = ()


def decode_segments(c: Cursor, *, as4: bool) -> tuple[Segment, ...]:
    """Decode path segments to the end of the attribute.

    Octets: n x (type u8, count u8, count x AS number of 2 or 4 octets); n may be 0.
    Raises: WireError for an unrecognised type, a count of zero, an overrun or an underrun, and for AS number 0.
    Source: RFC 4271 section 4.3, RFC 7606 section 7.2, RFC 7607 section 2.
    """
    segments = []
    while c.remaining:
        at = c.offset
        type_, count = SegmentType(c.u8()), c.u8()
        if not type_.is_assigned:
            raise WireError(f"path segment type {type_:d} is not known", at, "RFC 7606 7.2")
        if not count:
            raise WireError("path segment without AS numbers", at + 1, "RFC 7606 7.2")
        octets = c.sub(count * (4 if as4 else 2))
        numbers = tuple((octets.u32 if as4 else octets.u16)() for _ in range(count))
        if 0 in numbers:
            raise WireError("AS number 0 in a path", at, "RFC 7607 2")
        segments.append(Segment(type_, numbers))
    return tuple(segments)


def encode_segments(w: Writer, segments: tuple[Segment, ...], *, as4: bool) -> None:
    """Encode path segments; in two octets a wide number becomes AS_TRANS (RFC 6793 section 4.2.2)."""
    for segment in segments:
        w.u8(segment.type)
        w.u8(len(segment.numbers))
        for number in segment.numbers:
            if as4:
                w.u32(number)
            else:
                w.u16(number if number <= MAX_AS2 else AS_TRANS)


def sequence(*numbers: int) -> tuple[Segment, ...]:
    """Build the segments of one AS_SEQUENCE, cut where a segment is full."""
    cuts = range(0, len(numbers), MAX_SEGMENT_LENGTH)
    return tuple(Segment(SegmentType.AS_SEQUENCE, numbers[at : at + MAX_SEGMENT_LENGTH]) for at in cuts)


def merge_as4_path(path: AsPath, as4_path: As4Path) -> AsPath:
    """Reconstruct the path that a two-octet speaker could not carry.

    The leading part of AS_PATH that AS4_PATH lacks is put before it; an AS4_PATH that is the longer one is ignored, and
    so are confederation segments inside it.

    Source: RFC 6793 sections 4.2.3 and 6.
    """
    wide = tuple(segment for segment in as4_path.segments if segment.type not in _CONFEDERATION)
    surplus = path.length - AsPath(wide).length
    return path if surplus < 0 else AsPath((*_leading(path.segments, surplus), *wide))


def format_as_path(segments: tuple[Segment, ...]) -> str:
    """Format as operators read it: ``65001 65002 {200,300} (65003) [65004,65005]``; sets sorted, without repeats."""
    return " ".join(_words(segments))


def _words(segments: tuple[Segment, ...]) -> Iterator[str]:
    for segment in segments:
        opens, separator, closes = _MARKS[segment.type]
        numbers = sorted(set(segment.numbers)) if segment.type in _SETS else segment.numbers
        yield opens + separator.join(map(str, numbers)) + closes


def _weight(segment: Segment) -> int:
    if segment.type in _CONFEDERATION:
        return 0
    return 1 if segment.type is SegmentType.AS_SET else len(segment.numbers)


def _leading(segments: tuple[Segment, ...], wanted: int) -> Iterator[Segment]:
    """Yield the front of a path that weighs `wanted`, with the confederation segments that lead or adjoin it."""
    for segment in segments:
        weight = _weight(segment)
        if weight <= wanted:
            wanted -= weight
            yield segment
            continue
        if wanted:  # only a sequence weighs more than one, so only a sequence is ever cut
            yield Segment(segment.type, segment.numbers[:wanted])
        return
