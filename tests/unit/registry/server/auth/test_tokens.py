"""Tokens: keys by id, by certificate, and what proves nothing."""

from __future__ import annotations

import base64
import datetime as dt
import time
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.registry.server.auth.tokens import BadToken, Grant, Signer, Trust, Verifier, key_id, load_trust

GRANT = Grant("repository", "a", ["pull"])


def test_what_we_sign_we_read(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "key", "service")
    claims = signer.verifier().verify(signer.sign("alice", [GRANT], 60, use="x"))
    assert (claims.subject, claims.grants, claims.extra["use"]) == ("alice", (GRANT,), "x")
    again = Signer(tmp_path / "key", "service")
    assert again.verifier().verify(signer.sign("", [], 60)).subject == ""
    for other in (Signer(tmp_path / "other", "service"), Signer(tmp_path / "key", "elsewhere")):
        with pytest.raises(BadToken):
            other.verifier().verify(signer.sign("alice", [], 60))


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
def test_any_text_is_refused(text: str) -> None:
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    with pytest.raises(BadToken):
        Verifier(Trust({key_id(key): key}), "i", "a").verify(text)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_keys_of_every_kind_from_files(tmp_path: Path, algorithm: str) -> None:
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    match algorithm:
        case "ES256":
            key = ec.generate_private_key(ec.SECP256R1())
        case "RS256":
            key = rsa.generate_private_key(65537, 2048)
        case _:
            key = ed25519.Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    trust = load_trust([tmp_path / "key.pem"], None)
    payload = {"iss": "i", "aud": "a", "sub": "s", "exp": int(time.time()) + 60}
    assert Verifier(trust, "i", "a").verify(jwt.encode(payload, key, algorithm=algorithm)).subject == "s"


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


def test_a_chain_of_certificates(tmp_path: Path) -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
    root = certificate("root", keys[0], None, keys[0], ca=True)
    middle = certificate("middle", keys[1], root, keys[0], ca=True)
    leaf = certificate("leaf", keys[2], middle, keys[1], ca=False)
    under_leaf = certificate("under", keys[3], leaf, keys[2], ca=False)
    (tmp_path / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    verifier = Verifier(load_trust([tmp_path / "root.pem"], None), "i", "a")
    payload = {"iss": "i", "aud": "a", "sub": "s", "exp": int(time.time()) + 60}

    def signed(key: ec.EllipticCurvePrivateKey, *chain: x509.Certificate) -> str:
        encoded = [base64.b64encode(each.public_bytes(serialization.Encoding.DER)).decode() for each in chain]
        return jwt.encode(payload, key, algorithm="ES256", headers={"x5c": encoded})

    assert verifier.verify(signed(keys[2], leaf, middle)).subject == "s"
    assert verifier.verify(signed(keys[0], root)).subject == "s"
    for key, chain in (
        (keys[1], (leaf, middle)),  # signed by another key than the certificate's
        (keys[2], (leaf,)),  # nobody vouches for it
        (keys[3], (under_leaf, leaf, middle)),  # signed by one who may sign no certificates
        (keys[3], (certificate("self", keys[3], None, keys[3], ca=True),)),
    ):
        with pytest.raises(BadToken):
            verifier.verify(signed(key, *chain))


def test_files_that_hold_no_keys(tmp_path: Path) -> None:
    for name, text in (
        ("a", "nothing"),
        ("b", "-----BEGIN CERTIFICATE-----\nx"),
        ("c", "-----BEGIN PUBLIC KEY-----\nx"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InvalidInput):
            load_trust([tmp_path / name], None)
    (tmp_path / "jwks").write_text("{}")
    with pytest.raises(InvalidInput):
        load_trust([], tmp_path / "jwks")
