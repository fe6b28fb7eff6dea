"""Keys: what they sign they recognise, and nothing else; digests that others computed."""

import hashlib
from dataclasses import replace

import pytest

from routed.wire.isis.authentication import HASHES, Key, is_authentic
from routed.wire.isis.checksum import is_checksum_right
from routed.wire.isis.codepoints import AuthenticationType, CircuitType, PduType
from routed.wire.isis.header import cut_pdu, with_length
from routed.wire.isis.hello import P2pHello, encode_p2p_hello
from routed.wire.isis.lsp import Lsp, encode_lsp
from routed.wire.isis.snp import Csnp, Psnp, encode_csnp, encode_psnp
from routed.wire.isis.tlv import Authentication

KEYS = [
    Key(AuthenticationType.CLEAR_TEXT, b"secret"),
    Key(AuthenticationType.HMAC_MD5, b"secret"),
    *(Key(AuthenticationType.GENERIC, b"secret" * 20, 7, name) for name in HASHES),
]
HELLO = P2pHello(circuit_type=CircuitType.LEVEL_2, source=b"\0\0\0\0\0\1", hold_time=30)
LSP = Lsp(lsp_id=b"\0\0\0\0\0\1\0\0", sequence=1, lifetime=1200, checksum=0, hostname="router")


def signed(key: Key | None) -> dict[PduType, bytes]:
    return {
        PduType.P2P_HELLO: encode_p2p_hello(HELLO, key, 300),
        PduType.LSP_2: encode_lsp(LSP, key),
        PduType.CSNP_2: encode_csnp(Csnp(source=bytes(7)), key),
        PduType.PSNP_2: encode_psnp(Psnp(source=bytes(7)), key),
    }


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.kind.name} {key.hash}")
def test_a_key_recognises_what_it_signed_and_nothing_else(key: Key) -> None:
    others = [other for other in KEYS if other != key]
    wrong = [
        replace(key, secret=b"other"),
        *([replace(key, key_id=8)] if key.kind is AuthenticationType.GENERIC else []),
    ]
    for kind, pdu in signed(key).items():
        assert is_authentic(kind, pdu, (key,))
        assert is_authentic(kind, pdu, (*others, key))
        assert not is_authentic(kind, pdu, (*others, *wrong))
        if key.kind is not AuthenticationType.CLEAR_TEXT:
            assert not is_authentic(kind, pdu[:-1] + bytes((pdu[-1] ^ 1,)), (key,))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.kind.name} {key.hash}")
def test_an_lsp_stays_authentic_while_it_ages(key: Key) -> None:
    """RFC 5304 section 2, RFC 5310 section 3.5: lifetime and checksum are not covered, and the checksum covers all."""
    pdu = encode_lsp(LSP, key)
    assert is_checksum_right(pdu)
    assert is_authentic(PduType.LSP_2, pdu[:10] + b"\0\5" + pdu[12:24] + b"\1\2" + pdu[26:], (key,))


def test_no_authentication_and_more_than_one_are_none() -> None:
    key = KEYS[1]
    for kind, pdu in signed(None).items():
        assert not is_authentic(kind, pdu, (key,))
    for kind, pdu in signed(key).items():
        tlv = b"\x0a\x11" + bytes((AuthenticationType.HMAC_MD5,)) + bytes(16)
        assert not is_authentic(kind, with_length(kind, pdu + tlv), (key,))


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\7", b"\0\7" + bytes(31), b"\0\7" + bytes(33)])
def test_a_digest_of_another_length_is_wrong(value: bytes) -> None:
    pdu = encode_lsp(replace(LSP, authentication=Authentication(AuthenticationType.GENERIC, value)))
    assert not is_authentic(PduType.LSP_2, pdu, (Key(AuthenticationType.GENERIC, b"secret", 7),))


@pytest.mark.parametrize("secret", [b"short", b"x" * 32, b"longer than a digest " * 3])
def test_the_generic_digest_is_the_one_of_the_standard(secret: bytes) -> None:
    """RFC 5310 sections 3.3 and 3.4, step by step: the key is as long as the digest, whose place has a pattern."""
    pdu = encode_p2p_hello(HELLO, Key(AuthenticationType.GENERIC, secret, 1))
    at = pdu.index(b"\x0a\x23\3\0\1") + 5
    covered = pdu[:at] + bytes.fromhex("878fe1f3") * 8 + pdu[at + 32 :]
    prepared = (hashlib.sha256(secret).digest() if len(secret) > 32 else secret.ljust(32, b"\0")).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in prepared) + covered).digest()
    assert pdu[at : at + 32] == hashlib.sha256(bytes(octet ^ 0x5C for octet in prepared) + inner).digest()


@pytest.mark.parametrize(
    ("key", "pdu"),
    [
        (
            Key(AuthenticationType.HMAC_MD5, b"HOLO"),
            (
                "8314010011010000010000000000060009004500"
                "0a1136ed74f70bf6dc9a5baaa0b16e4d22cfc3"
                "8102cc8e01040349000084040a0007060b0c000000000000000100001234"
            ),
        ),
        (
            Key(AuthenticationType.GENERIC, b"HOLO", 1, "sha256"),
            (
                "8314010011010000010000000000060009004900"
                "0a230300014945d82d562fe15bc0d31569845be80e06b2b6013c8a63db8f71e68cb525828181"
                "02cc8e01040349000084040a000706"
            ),
        ),
        (
            Key(AuthenticationType.GENERIC, b"HOLO", 1, "sha256"),
            (
                "831b010012010000006f049200000000000100000000000477a601"
                "0a23030001c2d457fbb06bfe01ec913027a29ed1bde30774e57187eb786c8fb04cad4665b6"
                "8101cc010403490000160b0000000000020300000a0084040101010187110000000a180a0001"
                "0000000a2001010101"
            ),
        ),
    ],
    ids=["hello HMAC-MD5", "hello HMAC-SHA-256", "LSP HMAC-SHA-256"],
)
def test_what_another_implementation_signed_is_authentic(key: Key, pdu: str) -> None:
    """PDUs of holo, by which it proves its own encoder and decoder."""
    octets = bytes.fromhex(pdu)
    kind, whole = cut_pdu(octets)
    assert whole == octets
    assert is_authentic(kind, octets, (key,))
    assert not is_authentic(kind, octets, (replace(key, secret=b"OTHER"),))
    assert not is_authentic(kind, octets[:-1] + bytes((octets[-1] ^ 1,)), (key,))


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(KEYS)
    assert "secret" not in repr(replace(LSP, authentication=KEYS[0].blank))
