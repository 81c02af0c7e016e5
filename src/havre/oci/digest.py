"""Digests: `algorithm:hex`, parsed before they are ever joined to a path (image-spec, descriptor.md)."""

import hashlib
from dataclasses import dataclass
from typing import Self

from havre.base.errors import InvalidInput

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of a content: an algorithm and its hexadecimal value."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidInput unless *text* is a sha256 or sha512 digest in lower-case digits."""
        algorithm, _, value = text.partition(":")
        if len(value) != _HEX_LENGTH.get(algorithm) or not set(value) <= _HEX:
            raise InvalidInput(f"invalid digest: {text[:160]!r}")
        return cls(algorithm, value)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The sha256 digest of *data*."""
        return cls("sha256", hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


def chain_id(diff_ids: tuple[Digest, ...]) -> Digest | None:
    """The name of a stack of layers, lowest first (image-spec, "Layer ChainID"); None for no layer."""
    chain: Digest | None = None
    for diff in diff_ids:
        chain = diff if chain is None else Digest.of(f"{chain} {diff}".encode())
    return chain
