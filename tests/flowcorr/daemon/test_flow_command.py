"""Configurations of flow daemons: what is refused at start, and how it is said."""

from pathlib import Path

import pytest

from flowcorr.daemon.nfacctd import main as nfacctd
from flowcorr.daemon.sfacctd import main as sfacctd

SOUND = "plugins: print[a]\naggregate[a]: src_host, dst_host\nprint_output[a]: csv\n"


def checked(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str], main=nfacctd) -> tuple[int, str]:
    file = tmp_path / "f.conf"
    file.write_text(SOUND + text)
    status = main(["-f", str(file), "-T", "config"])
    said = capsys.readouterr()
    return status, (said.out + said.err).replace(str(file), "f")


@pytest.mark.parametrize("main", [nfacctd, sfacctd])
def test_a_sound_configuration_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str], main) -> None:
    assert checked(
        tmp_path,
        "plugin_pipe_size[a]: 1000\nmaps_entries: 1000\npre_tag_filter[a]: 1-5,-7\naggregate_filter[a]: tcp port 80\n",
        capsys,
        main,
    ) == (0, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nfacctd_as: bgp\naggregate[a]: src_as", "[f:4] nfacctd_as: neither bgp_daemon nor bmp_daemon is true"),
        ("nfacctd_net: file", "[f:4] nfacctd_net: file takes networks_file, which is missing for [a]"),
        ("nfacctd_as: bgp\naggregate[a]: tos, Sum_AS", "[f:4] nfacctd_as: neither bgp_daemon nor bmp_daemon is true"),
        (
            "nfacctd_as: file\naggregate[a]: dst_as",
            "[f:4] nfacctd_as: file takes networks_file, which is missing for [a]",
        ),
        ("nfacctd_net: mask", "[f:4] nfacctd_net: mask takes networks_mask, which is missing for [a]"),
        (
            "nfacctd_net: file\nplugins: print[a], print[b]\nnetworks_file[a]: /tmp/x",
            "[f:4] nfacctd_net: file takes networks_file, which is missing for [b]",
        ),
        ("networks_mask: 129", "[f:4] networks_mask: invalid value '129'"),
        ("nfacctd_as: netfow", "[f:4] nfacctd_as: invalid value 'netfow'"),
        ("nfacctd_port: 70000", "[f:4] nfacctd_port: invalid value '70000'"),
        ("nfacctd_kafka_topic: flows", "[f:4] nfacctd_kafka_topic: Kafka input is not built yet"),
        ("nfacctd_dtls_port: 4740", "[f:4] nfacctd_dtls_port: DTLS input is not built yet"),
        ("bgp_peer_src_as_type: map", "[f:4] bgp_peer_src_as_type: bgp_peer_src_as_map is missing"),
        ("pre_tag_filter: 1", "[f:4] pre_tag_filter belongs to a plugin: write pre_tag_filter[name]"),
        ("pre_tag_filter[a]: x", "[f:4] pre_tag_filter[a]: 'x' is none of N, N-M, -N, -N-M"),
        ("aggregate_filter[a]: src net", "[f:4] aggregate_filter[a]: filter 'src net': "),
        ("aggregate_filter[a]: tcp, ", "[f:4] aggregate_filter[a]: an expression is empty"),
        ("aggregate_filter: tcp", "[f:4] aggregate_filter belongs to a plugin: write aggregate_filter[name]"),
        ("aggregate_primitives: /nowhere", "[f:4] aggregate_primitives: [/nowhere] No such file or directory"),
        ("pcap_savefile: /tmp/x\nnfacctd_ip: ::1", "[f:4] pcap_savefile: pcap_savefile and nfacctd_ip exclude"),
        ("aggregate[a]: src_hots", "src_host"),
        ("nfacctd_net: igp\naggregate[a]: peer_dst_ip", "[f:4] nfacctd_net: isis_daemon is not true"),
        (
            "nfacctd_net[a]: bgp\naggregate[a]: src_net",
            "[f:4] nfacctd_net[a]: neither bgp_daemon nor bmp_daemon is true",
        ),
        ("nfacctd_templates_port: 2100", "[f:4] nfacctd_templates_port: 2100 is nfacctd_port, where flows come to"),
        ("nfacctd_templates_receiver: 127.0.0.1", "[f:4] nfacctd_templates_receiver: invalid value '127.0.0.1'"),
        ("nfacctd_templates_zmq_address: here:1", "[f:4] nfacctd_templates_zmq_address: invalid value 'here:1'"),
        ("nfacctd_templates_zmq_peers: a:1, b", "[f:4] nfacctd_templates_zmq_peers: invalid value 'a:1, b'"),
        ("nfacctd_templates_zmq_user: us", "[f:4] nfacctd_templates_zmq_user: nfacctd_templates_zmq_passwd is missing"),
        (
            "nfacctd_templates_zmq_curve_key_file: /k\nnfacctd_templates_zmq_user: u\nnfacctd_templates_zmq_passwd: p",
            "[f:4] nfacctd_templates_zmq_curve_key_file: who has the key is asked for no nfacctd_templates_zmq_user",
        ),
        ("pcap_savefile: /tmp/x\nnfacctd_templates_port: 1", "[f:5] nfacctd_templates_port: a capture is read"),
        ("bgp_follow_nexthop: 10.0.0.0/33", "[f:4] bgp_follow_nexthop: invalid value"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    status, text = checked(tmp_path, line + "\n", capsys)
    assert status == 1
    assert said in text
    assert "ERROR" in text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bgp_daemon: true\nnfacctd_as: bgp\nnfacctd_peer_as[a]: true", "[f:6] nfacctd_peer_as: does nothing"),
        ("pre_tag_filter[a]: -6,-7", "[f:4] pre_tag_filter[a]: what stands behind -6 is never asked"),
        ("pre_tag_label_filter[a]: a,-b,c", "[f:4] pre_tag_label_filter[a]: what stands behind -b is never asked"),
        ("nfacctd_prot: 1", "[f:4] Unknown key: nfacctd_prot. Ignored. Did you mean nfacctd_port?"),
        ("nfacctd_as: bgp", "[f:4] nfacctd_as: neither bgp_daemon nor bmp_daemon is true"),
        ("nfacctd_net[a]: bmp", "[f:4] nfacctd_net[a]: neither bgp_daemon nor bmp_daemon is true"),
        ("nfacctd_as_new: true", "[f:4] nfacctd_as: file takes networks_file, which is missing for [a]"),
    ],
)
def test_what_does_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    _, text = checked(tmp_path, line + "\n", capsys)
    assert said in text
    assert "ERROR" not in text


@pytest.mark.parametrize("line", ["nfacctd_as: false", "nfacctd_as_new: False", "nfacctd_disable_checks: false"])
def test_older_words_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert checked(tmp_path, line + "\n", capsys) == (0, "")


@pytest.mark.parametrize(
    ("main", "has", "lacks"), [(nfacctd, "nat_event", "tunnel_src_mac"), (sfacctd, "vlan", "fw_event")]
)
def test_primitives_are_listed(main, has: str, lacks: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the daemon fills, one in a line, and nothing else is done."""
    assert main(["-a", "-f", "/nowhere"]) == 0
    listed = {line.partition(" ")[0]: line.partition(" : ")[2] for line in capsys.readouterr().out.splitlines()}
    assert {has, "src_host", "sum_host", "flows", "none"} <= listed.keys()
    assert lacks not in listed
    assert all(listed.values())
