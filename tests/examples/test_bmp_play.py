"""The script records and plays over a loopback connection to itself."""

import asyncio
import gzip
import lzma
from io import BytesIO
from pathlib import Path

import bmp_play
import pytest
from bmp_play import NotBmpError, numbered, open_octets, paced, parse_arguments, read_messages


def message(body: bytes) -> bytes:
    return b"\3" + (6 + len(body)).to_bytes(4, "big") + b"\4" + body


SESSION = message(b"first") + message(b"") + message(b"x" * 200_000)


class Recording:
    """A recorder on a port of the system's choice, and what both sides say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.listening = asyncio.Event()
        monkeypatch.setattr(bmp_play, "say", self._hear)

    def _hear(self, text: str) -> None:
        self.said.append(text)
        self.listening.set()

    async def to(self, path: Path, routers: int, *play: str) -> None:
        words = ["-m", "record", "-p", "0", "-d", "127.0.0.1", "-f", str(path), "-n", str(routers)]
        recorder = asyncio.create_task(bmp_play.record(parse_arguments(words)))
        await asyncio.wait_for(self.listening.wait(), 30)
        port = self.said[0].rpartition(" ")[2]
        await bmp_play.play(parse_arguments(["-m", "play", "-p", port, *play]))
        await asyncio.wait_for(recorder, 30)


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    return Recording(monkeypatch)


@pytest.mark.parametrize("name", ["bmp.dump", "bmp.dump.xz", "bmp.dump.gz", "bmp.dump.bz2"])
def test_what_is_played_is_recorded(recording: Recording, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    with open_octets(source, "wb") as file:
        file.write(SESSION)
    asyncio.run(recording.to(tmp_path / f"copy-{name}", 1, "-f", str(source)))
    with open_octets(tmp_path / f"copy-{name}", "rb") as file:
        assert file.read() == SESSION


def test_routers_in_parallel_have_their_addresses_and_files(recording: Recording, tmp_path: Path) -> None:
    for name, octets in (("a", SESSION), ("b", message(b"b"))):
        (tmp_path / name).write_bytes(octets)
    files = ["-f", str(tmp_path / "a"), str(tmp_path / "b")]
    asyncio.run(recording.to(tmp_path / "out", 3, *files, "-n", "3", "--from", "127.0.0.1"))
    out = [numbered(tmp_path / "out", number).read_bytes() for number in (1, 2, 3)]
    assert sorted(out) == sorted([SESSION, message(b"b"), SESSION])
    connected = {line.split()[0] for line in recording.said if "connected" in line}
    assert connected == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


def test_a_session_may_be_repeated(recording: Recording, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(SESSION)
    asyncio.run(recording.to(tmp_path / "out.xz", 2, "-f", str(tmp_path / "a"), "--times", "2", "--rate", "1e6"))
    out = [numbered(tmp_path / "out.xz", number).read_bytes() for number in (1, 2)]
    assert [lzma.decompress(octets) for octets in out] == [SESSION, SESSION]


def test_names_of_further_sessions_keep_the_compression() -> None:
    assert [str(numbered(Path(name), 2)) for name in ("a", "a.dump", "a.dump.gz")] == ["a.2", "a.dump.2", "a.dump.2.gz"]


def test_a_pace_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    slept, now = [], 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    async def collect() -> list[bytes]:
        return [octets async for octets in paced(iter([b"a"] * 10), 40)]

    monkeypatch.setattr(bmp_play.asyncio, "sleep", sleep)
    monkeypatch.setattr(bmp_play.time, "monotonic", lambda: now)
    parts = asyncio.run(collect())
    assert b"".join(parts) == b"a" * 10
    assert len(parts) == 4
    assert 0.2 <= now <= 0.25


def test_a_cut_message_is_sent_as_far_as_it_goes() -> None:
    assert b"".join(read_messages(BytesIO(SESSION[:-7]), "x")) == SESSION[:-7]
    assert list(read_messages(BytesIO(message(b"a") + b"\3\0"), "x")) == [message(b"a"), b"\3\0"]


@pytest.mark.parametrize("octets", [b"\2\0\0\0\x06\4", b"\3\0\0\0\x05\4", b"\3\xff\0\0\0\4", b"text"])
def test_something_else_is_not_paced(octets: bytes) -> None:
    with pytest.raises(NotBmpError, match="message 2 begins with"):
        list(read_messages(BytesIO(message(b"") + octets), "x"))


@pytest.mark.parametrize(
    "words", ["-m record -p 1 -f a b", "-m play -p 1", "-m play -p 1 -f a --rate 0", "-m x -p 1 -f a"]
)
def test_wrong_words_are_refused(words: str) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(words.split())


def test_a_file_that_is_not_there_is_an_error(
    capsys: pytest.CaptureFixture[str], recording: Recording, tmp_path: Path
) -> None:
    (tmp_path / "broken.gz").write_bytes(gzip.compress(SESSION)[:20])

    async def both() -> list[int]:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        port = str(server.sockets[0].getsockname()[1])
        names = ("none", "broken.gz")
        return [await bmp_play.main(["-m", "play", "-p", port, "-f", str(tmp_path / name)]) for name in names]

    assert asyncio.run(both()) == [1, 1]
    assert "none" in capsys.readouterr().err
    assert recording.said == []
