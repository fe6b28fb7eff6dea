"""AS paths, the slow and obvious way (RFC 4271 4.3 and 9.1.2.2, RFC 5065 3, RFC 6793 4.2.3, RFC 7607).

A path is a tuple of segments, a segment is `(type, numbers)`. Independent of the package under test.
"""

AS_SET, AS_SEQUENCE, AS_CONFED_SEQUENCE, AS_CONFED_SET = 1, 2, 3, 4
CONFEDERATION = {AS_CONFED_SEQUENCE, AS_CONFED_SET}
AS_TRANS = 23456

Segment = tuple[int, tuple[int, ...]]
Path = tuple[Segment, ...]


class MalformedPathError(Exception):
    """The octets are not a path (RFC 7606 7.2) or hold AS 0 (RFC 7607)."""


def read_path(octets: bytes, width: int) -> Path:
    """Read n x (type u8, count u8, count x AS number of `width` octets)."""
    segments = []
    while octets:
        if len(octets) < 2:
            raise MalformedPathError("a single octet is left")
        kind, count = octets[0], octets[1]
        if kind not in {AS_SET, AS_SEQUENCE, AS_CONFED_SEQUENCE, AS_CONFED_SET}:
            raise MalformedPathError("unknown segment type")
        if count == 0:
            raise MalformedPathError("empty segment")
        end = 2 + count * width
        if end > len(octets):
            raise MalformedPathError("segment overruns the attribute")
        numbers = tuple(int.from_bytes(octets[at : at + width], "big") for at in range(2, end, width))
        if 0 in numbers:
            raise MalformedPathError("AS 0")
        segments.append((kind, numbers))
        octets = octets[end:]
    return tuple(segments)


def path_length(path: Path) -> int:
    """Length for comparisons: a set counts 1, confederation segments count 0."""
    weights = {AS_SET: 1, AS_CONFED_SEQUENCE: 0, AS_CONFED_SET: 0}
    return sum(weights.get(kind, len(numbers)) for kind, numbers in path)


def merge(path: Path, as4_path: Path) -> Path:
    """Rebuild the path behind a two-octet speaker (RFC 6793 4.2.3).

    As many numbers as AS4_PATH lacks are taken from the front of AS_PATH. Confederation segments of AS4_PATH are
    dropped (RFC 6793 6); those of AS_PATH are kept where they lead the path or adjoin a segment that is taken.
    """
    as4_path = tuple(segment for segment in as4_path if segment[0] not in CONFEDERATION)
    missing = path_length(path) - path_length(as4_path)
    if missing < 0:
        return path
    front: list[Segment] = []
    for kind, numbers in path:
        if kind in CONFEDERATION:
            front.append((kind, numbers))
        elif missing == 0:
            break
        elif kind == AS_SET:
            front.append((kind, numbers))
            missing -= 1
        else:
            front.append((kind, numbers[:missing]))
            missing -= len(numbers[:missing])
            if len(numbers) > len(front[-1][1]):
                break  # cut inside a sequence: what follows adjoins nothing that was taken
    return (*front, *as4_path)


def path_text(path: Path) -> str:
    """Text such as `65001 65002 {200,300} (65003) [65004,65005]`; sets sorted and without repeats."""
    words = []
    for kind, numbers in path:
        in_order = " ".join(str(number) for number in numbers)
        as_set = ",".join(str(number) for number in sorted(set(numbers)))
        words.append(
            {
                AS_SET: "{" + as_set + "}",
                AS_SEQUENCE: in_order,
                AS_CONFED_SEQUENCE: "(" + in_order + ")",
                AS_CONFED_SET: "[" + as_set + "]",
            }[kind]
        )
    return " ".join(words)
