"""One decoder under fuzz."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from routed.octets import WireError
from tests.fuzz.mutate import mutate

#: Where the octets of the call that is running are kept, so that they survive a crash of the process.
LAST: Final = os.environ.get("FUZZ_LAST", "")
Mutate = Callable[[bytes, int, Sequence[bytes]], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One decoder under fuzz."""

    name: str
    decode: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Mutate = mutate
    mutations: int = 4_000
    is_compiled: bool = False  # by itself, not only where it reads octets
    raises: tuple[type[Exception], ...] = (WireError,)

    @property
    def damages(self) -> int:
        """How many damaged inputs are tried: few where the sanitizers see nothing but the cursor."""
        return self.mutations // 20 if LAST and not self.is_compiled else self.mutations

    def attempt(self, octets: bytes) -> None:
        """Decode; a documented exception is an answer, any other one is a finding."""
        if LAST:
            Path(LAST + os.environ.get("PYTEST_XDIST_WORKER", "")).write_bytes(octets)
        try:
            self.decode(octets)
        except self.raises:
            return
        except Exception as error:
            raise AssertionError(f"{self.name} let {error!r} out; the seed is {octets.hex()}") from error
