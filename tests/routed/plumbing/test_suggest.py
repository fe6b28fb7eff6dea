from __future__ import annotations

import pytest

from routed.plumbing.suggest import nearest

KNOWN = ("alpha_beta_gamma", "alpha_beta", "delta_port", "json", "avro_json")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("alpha_gamma_beta", "alpha_beta_gamma"),
        ("alpha_beta", "alpha_beta"),
        ("alhpa_beta", "alpha_beta"),
        ("delta_ports", "delta_port"),
        ("jsn", "json"),
        ("zzz", None),
        ("", None),
    ],
)
def test_advice_is_the_most_alike_or_none(text: str, meant: str | None) -> None:
    assert nearest(text, KNOWN) == meant


def test_no_words_give_no_advice() -> None:
    assert nearest("json", ()) is None
