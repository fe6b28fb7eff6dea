import pytest

from routed.model.event import NotificationReceived, OpenReceived, SessionDown, UpdateRun
from routed.service.reports import MAX_CAPABILITY_LINES, REPORTS, Line, Reporter, describe_capability
from routed.wire.bgp.capability import (
    AddPath,
    BgpRole,
    Capability,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    GracefulRestart,
    LongLivedGracefulRestart,
    Multiprotocol,
    NextHopEncoding,
    PathsOffer,
    RouteRefresh,
    SoftwareVersion,
    StaleFamily,
    UnknownCapability,
)
from routed.wire.bgp.codepoints import CapabilityCode, Role, SendReceive
from routed.wire.bgp.notification import Notification
from routed.wire.bgp.open import Capabilities, OpenMessage
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.routed.service.doubles import Lines


@pytest.fixture
def log() -> Lines:
    return Lines()


@pytest.mark.parametrize(
    ("capability", "lines"),
    [
        (Multiprotocol(IPV6_UNICAST), ["MultiProtocol [1] AFI [2] SAFI [1]"]),
        (RouteRefresh(), ["Route Refresh [2]"]),
        (
            ExtendedNextHop((NextHopEncoding(IPV4_UNICAST, 2),)),
            ["Extended Next Hop Encoding [5] AFI [1] SAFI [1] Next Hop AFI [2]"],
        ),
        (ExtendedMessage(), ["Extended Message [6]"]),
        (BgpRole(Role.CUSTOMER), ["BGP Role [9] ROLE [3]"]),
        (GracefulRestart(restart_time=120), ["Graceful Restart [64] RESTART_TIME [120]"]),
        (FourOctetAs(4200000000), ["4-bytes AS [65] ASN [4200000000]"]),
        (
            AddPath((PathsOffer(IPV4_UNICAST, SendReceive.BOTH), PathsOffer(IPV6_UNICAST, SendReceive.SEND))),
            [
                "ADD-PATHs [69] AFI [1] SAFI [1] SEND_RECEIVE [3]",
                "ADD-PATHs [69] AFI [2] SAFI [1] SEND_RECEIVE [2]",
            ],
        ),
        (EnhancedRouteRefresh(), ["Enhanced Route Refresh [70]"]),
        (
            LongLivedGracefulRestart((StaleFamily(IPV4_UNICAST, forwarding_preserved=False, stale_time=3600),)),
            ["Long-Lived Graceful Restart [71] AFI [1] SAFI [1] STALE_TIME [3600]"],
        ),
        (Fqdn(b"r1", b"example.net"), ["FQDN [73] HOSTNAME [r1] DOMAIN [example.net]"]),
        (SoftwareVersion(b"FRR/\xff"), ["Software Version [75] VERSION [FRR/\\xff]"]),
        (UnknownCapability(CapabilityCode(200), b""), []),
    ],
)
def test_capabilities_read_as_operators_know_them(capability: Capability, lines: list[str]) -> None:
    assert list(describe_capability(capability)) == lines


def open_with(*capabilities: Capability) -> OpenReceived:
    parameters = (Capabilities(capabilities),)
    return OpenReceived(OpenMessage(my_as=1, hold_time=90, bgp_identifier=bytes(4), parameters=parameters))


def test_an_open_cannot_fill_the_log(log: Lines) -> None:
    Reporter(log).event("192.0.2.1", open_with(*[RouteRefresh()] * (MAX_CAPABILITY_LINES + 5)))
    assert len(log.lines) == MAX_CAPABILITY_LINES + 1
    assert log.texts[-1] == "[192.0.2.1] Capability: and 5 more"


def test_a_peer_that_may_have_as_many_capabilities_has_them_all_logged(log: Lines) -> None:
    Reporter(log).event("192.0.2.1", open_with(*[RouteRefresh()] * MAX_CAPABILITY_LINES))
    assert len(log.lines) == MAX_CAPABILITY_LINES


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "[192.0.2.1] BGP_NOTIFICATION received (6, 2)."),
        ("bye", "[192.0.2.1] BGP_NOTIFICATION received (6, 2). Shutdown Message: 'bye'"),
        ("{peer}", "[192.0.2.1] BGP_NOTIFICATION received (6, 2). Shutdown Message: '{peer}'"),
    ],
)
def test_a_notification_is_logged_with_its_text(log: Lines, text: str | None, line: str) -> None:
    Reporter(log).event("192.0.2.1", NotificationReceived(6, 2, b"", text))
    assert log.lines == [f"INFO {line}"]


def test_updates_are_not_logged(log: Lines) -> None:
    Reporter(log).event("192.0.2.1", UpdateRun(b"", 1))
    assert log.lines == []


@pytest.mark.parametrize(
    ("down", "errno", "lines"),
    [
        (SessionDown(reason="x", notification_received=Notification(6, 2)), 0, []),
        (SessionDown(reason="x"), 0, ["INFO [p] BGP connection reset by peer (0)."]),
        (SessionDown(reason="x"), None, []),
        (
            SessionDown(reason="stopped", notification_sent=Notification(6, 2)),
            None,
            ["INFO [p] BGP session closed: stopped, NOTIFICATION sent: cease/administrative shutdown (6/2)"],
        ),
        (
            SessionDown(reason=str(Notification(6, 5)), notification_sent=Notification(6, 5)),
            None,
            ["INFO [p] BGP session closed, NOTIFICATION sent: cease/connection rejected (6/5)"],
        ),
        (
            SessionDown(reason="too late", notification_sent=Notification(4)),
            None,
            ["WARN [p] BGP session closed: too late, NOTIFICATION sent: hold timer expired/unspecific (4/0)"],
        ),
    ],
)
def test_the_end_of_a_session_is_said_once(log: Lines, down: SessionDown, errno: int | None, lines: list[str]) -> None:
    Reporter(log).down("p", down, errno)
    assert log.lines == lines


@pytest.mark.parametrize("line", Line)
def test_every_line_has_a_row(line: Line) -> None:
    assert REPORTS[line].text


def test_lines_that_a_stranger_can_cause_are_limited(log: Lines) -> None:
    Reporter(log).say(Line.NOT_ALLOWED, peer="192.0.2.1")
    assert log.limited == [("NOT_ALLOWED", 60)]


@pytest.mark.parametrize(
    ("line", "facts", "text"),
    [
        (
            Line.WAITING,
            {"interface": "all", "ip": "::", "port": 1790},
            "waiting for BMP data on interface=all ip=:: port=1790/tcp",
        ),
        (Line.MAX_PEERS, {"max_peers": 10}, "maximum BMP peers allowed: 10"),
        (Line.THROTTLING, {"slot": 3}, "throttling at BMP peer #3"),
        (
            Line.NO_SLOT,
            {"max_peers": 10},
            "Insufficient number of BMP peers has been configured by 'bmp_daemon_max_peers' (10)",
        ),
        (Line.USAGE, {"peer": "r", "in_use": 1, "max_peers": 10}, "[r] BMP peers usage: 1/10"),
        (Line.RESET_BY_PEER, {"peer": "r", "errno": 104}, "[r] BMP connection reset by peer (104)."),
        (Line.MD5, {"problem": "no"}, "bmp_daemon_md5_file: no"),
    ],
)
def test_lines_of_bmp_name_it(log: Lines, line: Line, facts: dict[str, object], text: str) -> None:
    Reporter(log, "BMP").say(line, **facts)
    assert log.texts == [text]


def test_lines_about_somebody_are_limited_for_each(log: Lines) -> None:
    reporter = Reporter(log, "BMP")
    for router in ("one", "other"):
        facts = {"peer": router, "message": "route monitor", "reason": "{reason}"}
        reporter.say_of(f"{router} route monitor", Line.DISCARDED, facts)
    assert log.limited == [("DISCARDED one route monitor", 1), ("DISCARDED other route monitor", 1)]
    assert log.lines[0] == "INFO [one] [route monitor] packet discarded: {reason}"


def test_lines_that_are_limited_for_nobody_are_not_said_of_somebody(log: Lines) -> None:
    with pytest.raises(AssertionError):
        Reporter(log).say_of("one", Line.USAGE, {})
