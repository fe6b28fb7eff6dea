"""The programs that the tests talk to, and the packages of Debian and Ubuntu that bring them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest

#: By package: the program whose presence says that the package is installed.
PROGRAMS: Final[Mapping[str, str]] = {
    "bgpdump": "/usr/bin/bgpdump",
    "bird2": "/usr/sbin/bird",
    "exabgp": "/usr/sbin/exabgp",
    "frr": "/usr/lib/frr/bgpd",
    "gobgpd": "/usr/bin/gobgpd",
    "iproute2": "ip",
    "maven": "mvn",
    "openjdk-17-jre-headless": "java",
    "openbgpd": "/usr/sbin/bgpctl",
    "pmacct": "/usr/sbin/pmbgpd",
    "nfdump": "/usr/bin/nfreplay",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "softflowd": "/usr/sbin/softflowd",
    "stayrtr": "/usr/bin/stayrtr",
}


def installed(package: str) -> bool:
    """Tell whether a package's program is there."""
    return shutil.which(PROGRAMS[package]) is not None


@cache
def install_missing() -> str:
    """Install every missing package, once per run, and return what the package manager had to say about it."""
    missing = [package for package in PROGRAMS if not installed(package)]
    if not missing or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return ""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = ""
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        done = subprocess.run(
            ["apt-get", *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        words = done.stderr.strip() if done.returncode else ""
    return words


def require(package: str) -> None:
    """Install a package or skip the test, by the name of what is missing."""
    if os.geteuid() != 0:
        missing = ", ".join(name for name in PROGRAMS if not installed(name)) or "nothing"
        pytest.skip(f"SKIPPED: this user is not root, and real peers need namespaces; not installed: {missing}")
    words = install_missing()
    if not installed(package):
        pytest.skip(f"SKIPPED: {package} is not installed and cannot be: {words or 'there is no apt-get'}")
    if package == "openbgpd":
        Path("/run/openbgpd").mkdir(exist_ok=True)  # its chroot, which only its systemd unit makes
