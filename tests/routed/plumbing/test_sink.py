from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from routed.plumbing.sink import PoolThreads
from routed.plumbing.sink_file import FileSink


class FakeReactor:
    """A reactor and its thread pool in one thread, which keeps the order of what happens."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def getThreadPool(self) -> "FakeReactor":  # noqa: N802
        return self

    def callInThreadWithCallback(self, on_result: Callable[..., None], work: Callable[[], Any]) -> None:  # noqa: N802
        self.steps.append("in thread")
        on_result(True, work())

    def callFromThread(self, work: Callable[..., None], *arguments: Any) -> None:  # noqa: N802
        self.steps.append("in reactor")
        work(*arguments)


def test_work_is_done_in_a_thread_and_answered_in_the_reactor() -> None:
    reactor: Any = FakeReactor()
    answers: list[int] = []
    PoolThreads(reactor)(lambda: 42).addCallback(answers.append)
    assert answers == [42]
    assert reactor.steps == ["in thread", "in reactor"]


def test_a_bug_in_a_sink_is_logged_with_its_traceback(tmp_path: Any) -> None:
    def broken(_work: Callable[[], Any]) -> Deferred[Any]:
        raise KeyError("bug")

    seen: list[Any] = []
    globalLogPublisher.addObserver(seen.append)
    try:
        FileSink(str(tmp_path / "log"), clock=Clock(), in_thread=broken)
    finally:
        globalLogPublisher.removeObserver(seen.append)
    assert [event["log_failure"].type for event in seen if "log_failure" in event] == [KeyError]
