"""What IS-IS is told by the configuration."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from routed.daemon.plane import routing_settings
from routed.daemon.settings import pmbgpd_settings, pmbmpd_settings, read_configuration
from routed.plumbing.maps import Limits
from routed.plumbing.statements import parse_statements
from routed.service.isis_settings import Tunnel
from routed.wire.isis.authentication import Key
from routed.wire.isis.codepoints import AuthenticationType

if TYPE_CHECKING:
    from routed.daemon.settings_isis import IsisPlaneSettings
    from routed.plumbing.config import Configuration

NEEDED = (
    "isis_daemon: true",
    "isis_daemon_ip: 192.0.2.1",
    "isis_daemon_net: 49.0001.1920.0000.2001.00",
    "isis_daemon_iface: gre0, gre1",
)


def read(*lines: str) -> Configuration:
    return read_configuration(parse_statements("\n".join(lines), "f"))


def settings(*lines: str) -> IsisPlaneSettings:
    made = pmbgpd_settings(read(*NEEDED, *lines)).isis
    assert made is not None
    return made


def test_it_is_off_unless_it_is_switched_on() -> None:
    assert pmbgpd_settings(read(*NEEDED[1:])).isis is None


def test_all_daemons_with_a_routing_plane_have_it() -> None:
    configuration = read(*NEEDED)
    assert pmbmpd_settings(configuration).isis == settings()
    assert routing_settings(configuration, "nfacctd").isis == settings()


def test_who_we_are_and_where() -> None:
    isis = settings("isis_daemon_gre: 192.0.2.1,192.0.2.2", "isis_daemon_hostname: me").isis
    assert (isis.system_id.hex(), isis.area.hex()) == ("192000002001", "490001")
    assert isis.addresses == (bytes((192, 0, 2, 1)),)
    assert isis.circuits == ("gre0", "gre1", Tunnel(ip_address("192.0.2.1"), ip_address("192.0.2.2")))
    assert (isis.mtu, isis.hello_interval, isis.hello_multiplier, isis.is_padded) == (1476, 10, 3, True)
    assert isis.hostname == "me"
    assert isis.hello_keys == isis.domain_keys == ()


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (["isis_daemon_auth_type: text"], Key(AuthenticationType.CLEAR_TEXT, b"x")),
        ([], Key(AuthenticationType.HMAC_MD5, b"x")),
        (
            ["isis_daemon_auth_type: sha256", "isis_daemon_auth_key_id: 7"],
            Key(AuthenticationType.GENERIC, b"x", 7, "sha256"),
        ),
    ],
)
def test_each_password_is_a_key(lines: list[str], key: Key) -> None:
    hello, domain = "isis_daemon_hello_password: x", "isis_daemon_domain_password: x"
    assert settings(*lines, hello).isis.hello_keys == (key,)
    assert settings(*lines, hello).isis.domain_keys == ()
    assert settings(*lines, domain).isis.domain_keys == (key,)


def test_where_records_go() -> None:
    made = settings(
        "isis_daemon_msglog: true",
        "isis_daemon_msglog_file: /l",
        "isis_dump_file: /d-%H",
        "isis_dump_refresh_time: 60",
    )
    assert made.dump_file is not None
    assert (made.tells_all, str(made.message_log), made.dump_file.text, made.refresh_time) == (True, "/l", "/d-%H", 60)


def test_a_tunnel_may_have_a_key() -> None:
    *_, tunnel = settings("isis_daemon_gre: ::1,::2,7").isis.circuits
    assert tunnel == Tunnel(ip_address("::1"), ip_address("::2"), 7)


def test_a_map_stands_in_for_circuits() -> None:
    lines = (*NEEDED[:-1], "igp_daemon_map: /m", "igp_daemon_map_msglog: /c", "maps_entries: 9", "maps_row_len: 99")
    made = pmbgpd_settings(read(*lines)).isis
    assert made is not None
    assert made.isis.circuits == ()
    assert made.map is not None
    assert made.map[:3] == (Path("/m"), Limits(9, 99), Path("/c"))


def test_names_of_the_reference_are_the_same_keys() -> None:
    renamed = tuple(line.replace("isis_", "igp_") for line in NEEDED)
    assert pmbgpd_settings(read(*renamed)).isis == settings()
