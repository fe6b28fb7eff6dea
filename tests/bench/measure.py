"""What a daemon costs: CPU seconds and memory of its process tree, read from the kernel.

CPU comes from the POSIX clock of each process, in nanoseconds: the ticks of /proc are too coarse for a
table that loads in a few of them. A child that ends between two readings keeps what it was last seen with.
Memory is the proportional set size, so that pages shared after a fork count once.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

#: clock_getcpuclockid(3): the clock of process P is ~P << 3, and 2 selects the scheduler's count.
CPU_CLOCK_OF_SCHEDULER: Final = 2


#: What an idle process tree uses of a processor at most.
IDLE: Final = 0.03


def _cpu_seconds(pid: int) -> float:
    return time.clock_gettime(~pid << 3 | CPU_CLOCK_OF_SCHEDULER)


def process_tree(pid: int) -> list[int]:
    """Return the process and all that descend from it; those that end meanwhile may be missing."""
    found = [pid]
    for process in found:
        with suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


class CpuMeter:
    """CPU seconds a process tree has used since the meter was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: dict[int, float] = {}
        self._before = self._total()

    def _total(self) -> float:
        for process in process_tree(self._pid):
            with suppress(OSError):
                self._seen[process] = _cpu_seconds(process)
        return sum(self._seen.values())

    @property
    def since_start(self) -> float:
        """Return what the processes had used when the meter was made."""
        return self._before

    def seconds(self) -> float:
        """Read the meter."""
        return self._total() - self._before


def kernel_seconds(pid: int) -> float:
    """Return what of a process's CPU seconds passed in the kernel, to the tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[12]) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Return the proportional set size of a process tree in octets."""
    total = 0
    for process in process_tree(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def wait_until_idle(meter: CpuMeter, quiet: float = 1.0) -> tuple[float, float]:
    """Wait until the tree has used next to no CPU for `quiet` seconds.

    Returns: the meter's reading, and the monotonic moment of the last work seen.
    """
    working_until = looked = time.monotonic()
    last = meter.seconds()
    while time.monotonic() - working_until < quiet:
        time.sleep(0.02)
        reading, before, looked = meter.seconds(), looked, time.monotonic()
        if reading - last > max(0.002, IDLE * (looked - before)):  # a busy machine may let us look but rarely
            working_until = looked
        last = reading
    return meter.seconds(), working_until
