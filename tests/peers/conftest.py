"""Fixtures of the tests that talk to real BGP daemons; they need root, for namespaces, ports and keys."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.peers.collector import Collector, collector, is_pmacct
from tests.peers.install import require
from tests.peers.network import Network, network
from tests.peers.nobody import NOBODY
from tests.peers.speaker import Link, Speaker

Recruit = Callable[[type[Speaker], Link], Speaker]
Collect = Callable[..., AbstractContextManager[Collector]]


#: Files that take longest, mostly waiting: they begin first.
LONGEST: Final = ("test_conformance", "test_bmp_gobgp", "test_hostile", "test_looking_glass", "test_xconnect")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real peers, the tests that play in a namespace; begin with what takes longest."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    for item in items:
        if isinstance(item, pytest.Function) and {"net", "evidence"} & set(item.fixturenames):
            item.add_marker(pytest.mark.peers)


@pytest.fixture
def home_of_nobody() -> Iterator[Path]:
    """A folder of an ordinary user."""
    home = Path(tempfile.mkdtemp(prefix="nobody-"))
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def net() -> Iterator[Network]:
    """A namespace for one test."""
    require("iproute2")
    with network() as inside:
        yield inside


@pytest.fixture
def recruit(net: Network, tmp_path: Path) -> Iterator[Recruit]:
    """Make speakers, not started; whatever they run is killed when the test ends."""
    speakers: list[Speaker] = []

    def make(kind: type[Speaker], link: Link) -> Speaker:
        speakers.append(kind(net, tmp_path, link))
        return speakers[-1]

    yield make
    for speaker in speakers:
        speaker.kill()


@pytest.fixture
def collect(net: Network, tmp_path: Path) -> Collect:
    """Run a collector with the given keys, as a context."""
    return partial(collector, net, tmp_path)


@pytest.fixture
def not_pmacct() -> None:
    """Skip what pmacct cannot do: timers, graceful restart, label stacks, multicast."""
    if is_pmacct():
        pytest.skip("pmacct has no such thing")
