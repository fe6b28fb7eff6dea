"""What the library itself takes of a file of properties; it connects to nobody here."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException

from routed.plumbing import kafka_producer as module
from routed.plumbing.kafka_client import Callbacks
from routed.plumbing.kafka_confluent import ConfluentClient
from routed.plumbing.kafka_producer import Made, make_producer
from routed.plumbing.kafka_settings import KafkaSettings


def ignore(*_: Any) -> None:
    pass


CALLBACKS = Callbacks(finished=ignore, refused=ignore, failed=ignore, error=ignore, statistics=ignore, log=ignore)


@pytest.fixture(params=[True, False], ids=["native", "confluent"], autouse=True)
def _both_clients(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> None:
        raise ImportError("rd_kafka_conf_new is not to be found")

    if not request.param:
        monkeypatch.setattr(module, "NativeClient", missing)


def settings(tmp_path: Path, text: str) -> KafkaSettings:
    path = tmp_path / "librdkafka.conf"
    path.write_text(text)
    return KafkaSettings(servers="127.0.0.1:1", keys="k_", config_file=path)


def bad(made: Made) -> list[str]:
    """Return what was wrong with the file of properties."""
    return [problem for problem in made.problems if module.SLOWER not in problem]


def test_the_slow_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> None:
        raise ImportError("rd_kafka_new is not to be found behind cimpl.so")

    monkeypatch.setattr(module, "NativeClient", missing)
    made = make_producer(KafkaSettings(servers="127.0.0.1:1", keys="k_"), CALLBACKS)
    assert isinstance(made.client, ConfluentClient)
    assert made.problems == (f"{module.SLOWER}: rd_kafka_new is not to be found behind cimpl.so",)


def test_without_a_file_all_is_ours() -> None:
    made = make_producer(KafkaSettings(servers="127.0.0.1:1", keys="k_"), CALLBACKS)
    assert (bad(made), made.logs_statistics) == ([], False)


def test_what_the_library_does_not_take_is_left_out_and_told_with_its_line(tmp_path: Path) -> None:
    text = "global, linger.ms, 50\nglobal, lingr.ms, 50\ntopic, request.required.acks, 1\nglobal, log_level, loud\n"
    made = make_producer(settings(tmp_path, text), CALLBACKS)
    where = f"k_config_file: {tmp_path}/librdkafka.conf"
    assert [problem[: len(where) + 4] for problem in bad(made)] == [f"{where}:2: ", f"{where}:4: "]
    assert bad(made)[0].endswith("did you mean linger.ms?: left out")


def test_what_excludes_the_idempotent_producer_takes_its_place(tmp_path: Path) -> None:
    for line in ("topic, request.required.acks, 1", "global, enable.idempotence, false", "global, retries, 3"):
        assert bad(make_producer(settings(tmp_path, line), CALLBACKS)) == []


def test_properties_that_are_good_each_alone_and_not_together_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(KafkaException, match=r"k_config_file: Failed to create producer: .*GSSAPI"):
        make_producer(settings(tmp_path, "global, security.protocol, sasl_plaintext\n"), CALLBACKS)


@pytest.mark.parametrize("name", ["sasl.mechanism", "sasl.mechanisms"])
def test_tokens_are_the_business_of_confluent_kafka(tmp_path: Path, name: str) -> None:
    text = f"global, security.protocol, sasl_plaintext\nglobal, {name}, OAUTHBEARER\n"
    client = make_producer(settings(tmp_path, text), CALLBACKS).client
    assert isinstance(client, ConfluentClient)


def test_dumps_wait_until_the_courier_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module, "make_client", lambda properties, *_: asked.append(properties["linger.ms"]))
    for in_bulk in (False, True):
        make_producer(KafkaSettings(servers="127.0.0.1:1", keys="k_", in_bulk=in_bulk), CALLBACKS)
    assert asked == [module.LINGER, module.BULK_LINGER]


def test_statistics_that_the_file_asks_for_are_for_the_log(tmp_path: Path) -> None:
    assert make_producer(settings(tmp_path, "global, statistics.interval.ms, 1000"), CALLBACKS).logs_statistics


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A connection without what it says might be one in the clear."""
    missing = KafkaSettings(servers="127.0.0.1:1", keys="k_", config_file=tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        make_producer(missing, CALLBACKS)
