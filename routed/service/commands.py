"""What a looking glass does besides answering, for those who may: a reload of the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from routed.service.answering import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from routed.plumbing.zeromq_settings import ZmqSettings
    from routed.query.request import Question
    from routed.service.settings import Reloaded

    Reload = Callable[[], Awaitable[Reloaded]]

#: Mistakes that are told; the log has all of them.
MAX_PROBLEMS: Final = 100
NOT_ALLOWED: Final = "reload: only for clients with a password or a key of theirs, or on the loopback address"
NOT_HERE: Final = "reload: not while the daemon starts"


def may_command(settings: ZmqSettings) -> bool:
    """Tell whether clients are known, or at least on this machine: questions may be asked by others, too."""
    return settings.user is not None or settings.client_keys is not None or settings.address.is_loopback


class Commands:
    """Carries commands out."""

    def __init__(self, *, allowed: bool) -> None:
        self.reload: Reload | None = None
        self._allowed = allowed

    async def carry_out(self, question: Question) -> Answer:
        """Reload the daemon, the only command there is; answer with what came of it."""
        assert question.wanted.is_command
        if not self._allowed:
            return Answer({"text": NOT_ALLOWED}, [])
        if self.reload is None:
            return Answer({"text": NOT_HERE}, [])
        reloaded = await self.reload()
        if reloaded.problems:
            problems = list(reloaded.problems[:MAX_PROBLEMS])
            return Answer({"text": f"{reloaded.summary}: {'; '.join(problems)}", "problems": problems}, [])
        return Answer({"outcome": reloaded.summary}, _rows(reloaded.changes))


def _rows(changes: Sequence[object]) -> list[bytes]:
    return [orjson.dumps(change) for change in changes]
