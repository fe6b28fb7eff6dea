"""Damage octets in the ways that hostile and broken speakers do. A seed always gives the same damage.

`mutate` knows nothing of what it damages; `mutate_update` knows where an UPDATE keeps its attributes, damages those and
puts the lengths around them right again, so that the damage is found by the attribute's own rule and not by framing.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

#: Values at which length and count fields tip over.
EDGES: Final = (0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 32, 33, 64, 127, 128, 129, 255)
WIDE_EDGES: Final = (0, 1, 4, 18, 19, 22, 23, 255, 256, 4095, 4096, 4097, 32767, 32768, 65534, 65535)

HEADER_OCTETS: Final = 19
EXTENDED_LENGTH: Final = 0x10

Mutation = Callable[[bytearray, Random, Sequence[bytes]], None]


def flip_bit(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)


def set_octet(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    octets[random.randrange(len(octets))] = random.choice(EDGES)


def set_length(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    """Let two octets, which may be a length, lie."""
    at = random.randrange(len(octets))
    octets[at : at + 2] = random.choice(WIDE_EDGES).to_bytes(2, "big")


def nudge(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    """Make one octet, which may be a length, wrong by one."""
    at = random.randrange(len(octets))
    octets[at] = (octets[at] + random.choice((-1, 1))) % 256


def truncate(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    del octets[random.randrange(len(octets)) :]


def cut_out(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    at = random.randrange(len(octets))
    del octets[at : at + random.choice(EDGES)]


def repeat(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    """Say something twice."""
    at = random.randrange(len(octets))
    octets[at:at] = octets[at : at + random.choice(EDGES)]


def insert(octets: bytearray, random: Random, _donors: Sequence[bytes]) -> None:
    at = random.randrange(len(octets))
    octets[at:at] = random.randbytes(random.choice((1, 2, 3, 4, 8)))


def splice(octets: bytearray, random: Random, donors: Sequence[bytes]) -> None:
    """Begin as one message and end as another."""
    donor = random.choice(donors)
    octets[random.randrange(len(octets)) :] = donor[random.randrange(len(donor) + 1) :]


MUTATIONS: Final[tuple[Mutation, ...]] = (
    flip_bit, set_octet, set_length, nudge, truncate, cut_out, repeat, insert, splice,
)  # fmt: skip


def mutate(octets: bytes, seed: int, donors: Sequence[bytes]) -> bytes:
    """Damage octets one to four times; `donors` lend their ends to splices."""
    random = Random(seed)
    damaged = bytearray(octets)
    for _ in range(random.randint(1, 4)):
        if damaged:
            random.choice(MUTATIONS)(damaged, random, donors)
    return bytes(damaged)


def mutate_update(update: bytes, seed: int, donors: Sequence[bytes]) -> bytes:
    """Damage an UPDATE of which header and field lengths stay true; something that is none is just damaged."""
    random = Random(seed)
    parts = _split(update)
    if parts is None or random.random() < 0.2:
        return with_true_length(mutate(update, random.getrandbits(32), donors))
    withdrawn, attributes, nlri = parts
    for _ in range(random.randint(1, 3)):
        match random.randrange(8):
            case 0:
                withdrawn = _damaged(withdrawn, random, donors)
            case 1:
                nlri = _damaged(nlri, random, donors)
            case 2:
                random.shuffle(attributes)
            case 3 if attributes:
                attributes.append(random.choice(attributes))
            case 4 if attributes:
                attributes.pop(random.randrange(len(attributes)))
            case 5 if (other := _split(random.choice(donors))) is not None:
                attributes += other[1]
            case _ if attributes:
                at = random.randrange(len(attributes))
                attributes[at] = _with_damaged_value(attributes[at], random, donors)
    return _join(withdrawn, attributes, nlri)


def mutate_isis(pdu: bytes, seed: int, donors: Sequence[bytes]) -> bytes:
    """Damage a PDU of IS-IS, of which the length mostly stays true."""
    damaged = mutate(pdu, seed, donors)
    if len(damaged) < 20 or seed % 5 == 0:
        return damaged
    at = 17 if damaged[4] & 0x1F in (15, 16, 17) else 8
    return damaged[:at] + min(len(damaged), 0xFFFF).to_bytes(2, "big") + damaged[at + 2 :]


def with_true_length(message: bytes) -> bytes:
    """Let the header of a BGP message tell its length again."""
    length = min(len(message), 0xFFFF)
    return message[:16] + length.to_bytes(2, "big") + message[18:length] if length >= HEADER_OCTETS else message


def _damaged(octets: bytes, random: Random, donors: Sequence[bytes]) -> bytes:
    return mutate(octets or b"\x18\x0a\0\1", random.getrandbits(32), donors)[:200]


def _with_damaged_value(attribute: bytes, random: Random, donors: Sequence[bytes]) -> bytes:
    """Damage flags, code or value; the attribute's length stays true unless the damage is to it."""
    if len(attribute) < 4 or random.random() < 0.2:
        return mutate(attribute, random.getrandbits(32), donors)[:300]
    wide = bool(attribute[0] & EXTENDED_LENGTH)
    value = attribute[4 if wide else 3 :]
    value = mutate(value or b"\0", random.getrandbits(32), donors)[:250]
    return attribute[:2] + len(value).to_bytes(2 if wide else 1, "big") + value


def _split(update: bytes) -> tuple[bytes, list[bytes], bytes] | None:
    """Cut a well-framed UPDATE into withdrawn routes, attributes and NLRI."""
    if len(update) < HEADER_OCTETS + 4 or update[18] != 2:
        return None
    body = update[HEADER_OCTETS:]
    withdrawn, body = body[2 : 2 + int.from_bytes(body[:2], "big")], body[2 + int.from_bytes(body[:2], "big") :]
    length = int.from_bytes(body[:2], "big")
    field, nlri = body[2 : 2 + length], body[2 + length :]
    attributes = []
    while len(field) > 3:
        end = 4 + int.from_bytes(field[2:4], "big") if field[0] & EXTENDED_LENGTH else 3 + field[2]
        attributes.append(field[:end])
        field = field[end:]
    return withdrawn, attributes, nlri


def _join(withdrawn: bytes, attributes: list[bytes], nlri: bytes) -> bytes:
    field = b"".join(attributes)
    body = len(withdrawn).to_bytes(2, "big") + withdrawn + len(field).to_bytes(2, "big") + field + nlri
    return with_true_length(b"\xff" * 16 + b"\0\0\2" + body)
