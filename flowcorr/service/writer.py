"""What every output of finished bins has in common: a job for each flush, done in a thread.

`print` writes files; what goes to brokers and databases later is a `Writer` like it. A job blocks, which is why it runs
in a thread; it may fail and be tried again, and then goes on where it was, so that no row is written twice.
"""

from typing import Protocol

from flowcorr.correlate.aggregation import Finished


class Job(Protocol):
    """One flush on its way out."""

    rows: int  # written so far
    rows_left_out: int  # that did not pass the checks of the plugin
    rows_lost: int  # that the destination had no room for, such as a FIFO that nobody reads

    def run(self) -> None:
        """Write what is not written yet; blocks.

        Raises: OSError, after which it may be called again.
        """


class Writer(Protocol):
    """An output of one plugin; used by one thread at a time."""

    def job(self, finished: Finished, now: float) -> Job:
        """Prepare the writing of a flush; does not block."""

    def reopen(self) -> None:
        """Go on in new files of the same names."""

    def close(self) -> None:
        """End, when all jobs are done; blocks."""
