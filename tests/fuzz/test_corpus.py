"""The kept corpus and seeded damage to it, through every decoder: each answers or raises the one error of its layer."""

import zlib

import pytest

from tests.fuzz.decoder import Decoder
from tests.fuzz.decoders import DECODERS
from tests.fuzz.mutate import mutate, mutate_update

#: Longer inputs cost time and find little.
MAX_OCTETS = 20_000


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_the_corpus_is_decoded_or_refused(decoder: Decoder) -> None:
    seeds = decoder.seeds()
    assert seeds
    for octets in seeds:
        decoder.attempt(octets)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_damaged_octets_are_decoded_or_refused(decoder: Decoder) -> None:
    seeds = decoder.seeds()
    for number in range(decoder.damages):
        octets = seeds[number % len(seeds)]
        seed = zlib.crc32(octets) ^ number
        decoder.attempt(decoder.mutate(octets, seed, seeds)[:MAX_OCTETS])


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_a_beginning_of_a_seed_is_decoded_or_refused(decoder: Decoder) -> None:
    seeds = decoder.seeds()
    ends = [(octets, end) for octets in seeds for end in range(min(len(octets), 300))]
    for octets, end in ends[:: 1 + len(ends) // (2 * decoder.damages)]:
        decoder.attempt(octets[:end])


@pytest.mark.parametrize("damage", [mutate, mutate_update], ids=["any", "update"])
def test_damage_is_the_same_for_the_same_seed_and_is_damage(damage: object) -> None:
    assert callable(damage)
    (seeds,) = (decoder.seeds() for decoder in DECODERS if decoder.name == "update value")
    once = [damage(octets, number, seeds) for number, octets in enumerate(seeds)]
    again = [damage(octets, number, seeds) for number, octets in enumerate(seeds)]
    assert once == again
    assert sum(before != after for before, after in zip(seeds, once, strict=True)) > 0.8 * len(seeds)
