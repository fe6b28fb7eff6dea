"""Types of the compiled walk through routers' tables; see `_follow.pyx` for its theory of operation."""

from collections.abc import Callable, Sequence

from routed.rib._resolve import Resolver

class Follower:
    """Goes from the next hop of a route to the table of the router that has this address.

    Args:
        choose: returns the view of the router that has an address: asked with the number of the view that the route was
            found in, sixteen octets and the family of the flow, 4 or 6; 0: no such router; -1: routes of that view are
            not followed.
        defaults: default routes that are followed one after the other.
        prefixes: sixteen octets and bits; a next hop in one of them is followed to the one behind it.
        external: the next hop of a flow is the first one outside the prefixes, not the last one inside.
    """

    def __init__(
        self,
        resolver: Resolver,
        choose: Callable[[int, bytes, int], int],
        *,
        defaults: int = 0,
        prefixes: Sequence[tuple[bytes, int]] = (),
        external: bool = False,
    ) -> None: ...
