"""Bearer tokens: JSON Web Tokens that say who the bearer is and what it may do (distribution's token specification)."""

import base64
import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import jwt
import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from havre.base.atomic import write_file
from havre.base.errors import InvalidInput
from havre.base.ids import new_id

_LEEWAY_S: Final = 60
_MAX_TOKEN: Final = 64 << 10
_MAX_CHAIN: Final = 5
_PEM_KEY: Final = b"PUBLIC KEY-----"
_PEM_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")
PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class BadToken(InvalidInput):
    """A token that proves nothing: broken, foreign, expired, or for someone else."""


class Grant(msgspec.Struct, frozen=True):
    """Actions on one thing; *type* is `repository` or `registry`."""

    type: str
    name: str
    actions: list[str]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    subject: str
    grants: tuple[Grant, ...]
    extra: Mapping[str, object]


class _Payload(msgspec.Struct):
    sub: str = ""
    access: list[Grant] | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count: keys by their id, and certificates whose holders may sign in their name."""

    keys: Mapping[str, PublicKey]
    roots: tuple[x509.Certificate, ...] = ()

    def candidates(self, token: str) -> list[PublicKey]:
        """The keys that may have signed *token*. Raises BadToken."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise BadToken(f"invalid token: {error}") from None
        chain = header.get("x5c")
        if isinstance(chain, list) and chain:
            return [_leaf_key(chain, self.roots)]
        kid = header.get("kid")
        if isinstance(kid, str) and kid in self.keys:
            return [self.keys[kid]]
        return list(self.keys.values())


@dataclass(frozen=True, slots=True)
class Verifier:
    """Reads tokens of one *issuer* that are meant for *audience*."""

    trust: Trust
    issuer: str
    audience: str

    def verify(self, token: str) -> Claims:
        """What *token* says. Raises BadToken."""
        if len(token) > _MAX_TOKEN:
            raise BadToken("invalid token: it is too long")
        for key in self.trust.candidates(token):
            try:
                payload = jwt.decode(
                    token,
                    key,
                    algorithms=[name for name in _ALGORITHMS if _fits(name, key)],
                    audience=self.audience,
                    issuer=self.issuer,
                    leeway=_LEEWAY_S,
                    options={"require": ["exp", "iss", "aud"]},
                )
                said = msgspec.convert(payload, _Payload)
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, msgspec.ValidationError, ValueError, TypeError) as error:
                raise BadToken(f"invalid token: {error}") from None
            return Claims(said.sub, tuple(said.access or ()), payload)
        raise BadToken("invalid token: nobody whom this registry trusts has signed it")


class Signer:
    """The registry's own key, made at the first start and kept in the file *path*."""

    ISSUER: Final = "havre-registry"

    def __init__(self, path: Path, audience: str) -> None:
        self._audience = audience
        self._key = _own_key(path)
        self._id = key_id(self._key.public_key())

    def verifier(self) -> Verifier:
        """Reads what this key signed."""
        return Verifier(Trust({self._id: self._key.public_key()}), self.ISSUER, self._audience)

    def sign(self, subject: str, grants: Iterable[Grant], lifetime_s: int, **extra: str) -> str:
        """A token of *subject*, valid from now on for *lifetime_s*."""
        now = int(time.time())
        payload = {
            "iss": self.ISSUER,
            "sub": subject,
            "aud": self._audience,
            "iat": now,
            "nbf": now - 1,
            "exp": now + lifetime_s,
            "jti": new_id(),
            "access": [msgspec.to_builtins(grant) for grant in grants],
            **extra,
        }
        return jwt.encode(payload, self._key, algorithm="ES256", headers={"kid": self._id})


def load_trust(bundles: Sequence[Path], jwks: Path | None) -> Trust:
    """The keys and certificates in PEM files and in a JSON Web Key Set. Raises InvalidInput."""
    keys: dict[str, PublicKey] = {}
    roots: list[x509.Certificate] = []
    try:
        for path in bundles:
            data = path.read_bytes()
            if _PEM_CERTIFICATE in data:
                roots += x509.load_pem_x509_certificates(data)
            elif _PEM_KEY in data:
                key = _usable(serialization.load_pem_public_key(data))
                keys[key_id(key)] = key
            else:
                raise InvalidInput(f"{path} holds neither certificates nor a public key in PEM")
        for root in roots:
            key = _usable(root.public_key())
            keys[key_id(key)] = key
        if jwks is not None:
            keys.update(_key_set(jwks))
    except (OSError, ValueError, UnsupportedAlgorithm, jwt.PyJWTError) as error:
        raise InvalidInput(f"keys of the token service: {error}") from error
    return Trust(keys, tuple(roots))


def key_id(key: PublicKey) -> str:
    """The id of a key as Docker's libtrust makes it: 240 bits of a hash in base 32, in twelve groups of four."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(text[at : at + 4] for at in range(0, len(text), 4))


def _key_set(path: Path) -> dict[str, PublicKey]:
    found: dict[str, PublicKey] = {}
    for entry in jwt.PyJWKSet.from_json(path.read_text(encoding="utf-8")).keys:
        key = _usable(entry.key)
        found[entry.key_id or key_id(key)] = key
    return found


def _usable(key: object) -> PublicKey:
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        raise InvalidInput(f"keys of this kind sign no tokens: {type(key).__name__}")
    return key


def _fits(algorithm: str, key: PublicKey) -> bool:
    kinds = {"E": EllipticCurvePublicKey, "R": RSAPublicKey, "P": RSAPublicKey}
    kind = Ed25519PublicKey if algorithm == "EdDSA" else kinds[algorithm[0]]
    return isinstance(key, kind)


def _leaf_key(chain: list[object], roots: tuple[x509.Certificate, ...]) -> PublicKey:
    """The key of the first certificate in *chain*, when *roots* vouch for it."""
    try:
        certificates = [x509.load_der_x509_certificate(base64.b64decode(str(item))) for item in chain[:_MAX_CHAIN]]
        now = time.time()
        for certificate, issuer in pairwise(certificates):
            certificate.verify_directly_issued_by(issuer)
            if not _is_authority(issuer):
                raise BadToken("invalid token: a certificate of its chain may not sign others")
        if any(
            not c.not_valid_before_utc.timestamp() <= now <= c.not_valid_after_utc.timestamp() for c in certificates
        ):
            raise BadToken("invalid token: a certificate of its chain is not valid now")
        if not any(_vouches(root, certificates[-1]) for root in roots):
            raise BadToken("invalid token: its certificate comes from nobody whom this registry trusts")
        return _usable(certificates[0].public_key())
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise BadToken(f"invalid token: its certificates are broken: {error}") from None


def _vouches(root: x509.Certificate, certificate: x509.Certificate) -> bool:
    if certificate == root:
        return True
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return _is_authority(root)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _own_key(path: Path) -> EllipticCurvePrivateKey:
    if not path.exists():
        fresh = new_key(SECP256R1())
        pem = fresh.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_file(path, pem, mode=0o600)
    loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(loaded, EllipticCurvePrivateKey):
        raise InvalidInput(f"{path} is no key of ours; remove it, and a new one is made")
    path.chmod(0o600)  # also of a key that someone copied here
    return loaded
