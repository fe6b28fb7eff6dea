"""What a daemon's frame asks of the plane that runs in it, from its start to its stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.daemon.settings import DaemonSettings
    from routed.service.commands import Reload

S_contra = TypeVar("S_contra", bound="DaemonSettings", contravariant=True)


class Plane(Protocol[S_contra]):
    """What a daemon does from its start to its stop."""

    def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""

    def reopen(self) -> None:
        """Go on in new files of the same names."""

    def prepare(self, settings: S_contra, /) -> Callable[[], None]:
        """Read again what belongs to the settings, in any thread; return what takes both over, in the reactor's.

        Raises: StartError when something cannot be had, and nothing has changed.
        """

    def serve_reload(self, reload: Reload, /) -> None:
        """Let others than signals ask for a reload."""


@runtime_checkable
class Telling(Protocol):
    """A plane that has something to say when it is asked how things are."""

    def tell_statistics(self) -> None:
        """Say in the log how things are."""
