"""A schema registry for the tests: Apicurio's, whose API of the kind that Confluent's clients speak is asked.

Maven brings it into a cache outside the tree, once per machine, and checks its checksums (`-C`); the jar that is run is
checked again. It keeps its schemas in memory.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Final

import pytest

from tests.peers.install import require
from tests.peers.waiting import eventually
from tests.ports import reserved_port

VERSION: Final = "2.6.13.Final"
ARTIFACT: Final = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
#: SHA-256 of the jar that is run.
RUNNER_SHA256: Final = "fc638b426304817da3509ebc92a2bdedfac44777b9ab231a98032922e5a9deea"
CACHE: Final = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "routed-tests" / f"apicurio-registry-{VERSION}"
)
UNPACK: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
SMALL_JAVA: Final = ("-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
#: Seconds that it may take to start on a machine that has much else to do.
PATIENCE: Final = 120.0


def runner() -> Path:
    """Return the jar to run, or skip the test where it cannot be had."""
    require("openjdk-17-jre-headless")
    if not CACHE.is_dir():
        require("maven")
        _fetch()
    jar = CACHE / f"apicurio-registry-app-{VERSION}-runner.jar"
    assert hashlib.sha256(jar.read_bytes()).hexdigest() == RUNNER_SHA256, f"{jar} is not what was published"
    return jar


def _fetch() -> None:
    """Bring and unpack the archive; another test may do the same at the same time."""
    fresh = CACHE.with_name(f"{CACHE.name}-{os.getpid()}")
    fresh.mkdir(parents=True, exist_ok=True)
    places = [f"-DoutputDirectory={fresh}", f"-DmarkersDirectory={fresh}"]
    command = ["mvn", "-B", "-q", "-C", UNPACK, f"-Dartifact={ARTIFACT}", *places]
    done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        pytest.skip(f"SKIPPED: Apicurio Registry {VERSION} cannot be fetched: {done.stdout[-500:]}")
    if CACHE.is_dir():
        shutil.rmtree(fresh)
    else:
        fresh.rename(CACHE)


class Registry:
    """One registry."""

    def __init__(self, home: Path) -> None:
        self.port = reserved_port()
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"
        self._jar, self._log = runner(), home / "registry.out"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        place = [f"-Dquarkus.http.port={self.port}", "-Dquarkus.http.host=127.0.0.1"]
        with self._log.open("ab") as log:
            command = ["java", *SMALL_JAVA, *place, "-jar", str(self._jar)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            eventually(self._answers, PATIENCE, "the registry to answer")
        except TimeoutError as timeout:
            timeout.add_note(self._log.read_text(errors="replace")[-3000:])
            raise

    def leave(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(PATIENCE)

    def ask(self, path: str) -> Any:
        """Return an answer of its API."""
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=10) as answer:
            return json.loads(answer.read())

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        try:
            self.ask("subjects")
        except OSError:
            return False
        return True
