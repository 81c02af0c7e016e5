"""Image references as people type them: `[host[:port]/]path[:tag][@digest]` (distribution's grammar)."""

import re
from dataclasses import dataclass
from typing import Self

from havre.base.errors import InvalidInput
from havre.oci.digest import Digest

DEFAULT_DOMAIN = "docker.io"
OFFICIAL_PREFIX = "library/"
DEFAULT_TAG = "latest"
_MAX_NAME = 255
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z", re.ASCII)
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?\Z", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z", re.ASCII)
_HEX64 = re.compile(r"[a-f0-9]{64}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A repository, and a tag or a digest in it; both empty means the repository alone."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Docker's normalised form: `busybox` is `docker.io/library/busybox`. Raises InvalidInput."""
        if _HEX64.match(text):
            raise InvalidInput(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
        name, at, digest = text.partition("@")
        tag = ""
        head, colon, tail = name.rpartition(":")
        if colon and "/" not in tail:
            name, tag = head, tail
        domain, path = _split_domain(name)
        if (colon and name == head and not _TAG.match(tag)) or not _is_path(path) or not _DOMAIN.match(domain):
            remote = path.partition(":")[0]
            if remote != remote.lower():
                raise InvalidInput(f"invalid reference format: repository name ({remote}) must be lowercase")
            raise InvalidInput("invalid reference format")
        if len(path) > _MAX_NAME:
            raise InvalidInput("invalid reference format: repository name must not be more than 255 characters")
        if at:
            try:
                Digest.parse(digest)
            except InvalidInput:
                raise InvalidInput("invalid reference format") from None
        return cls(domain, path, tag, digest)

    def with_default_tag(self) -> Self:
        """The same, with `latest` where neither a tag nor a digest is given."""
        return self if self.tag or self.digest else type(self)(self.domain, self.path, DEFAULT_TAG)

    def repository(self) -> Self:
        """The repository alone."""
        return type(self)(self.domain, self.path)

    @property
    def familiar_name(self) -> str:
        """The repository as people write it: no default domain, no `library/`."""
        if self.domain != DEFAULT_DOMAIN:
            return f"{self.domain}/{self.path}"
        official = self.path.removeprefix(OFFICIAL_PREFIX)
        return self.path if "/" in official else official

    @property
    def familiar(self) -> str:
        """The whole reference as people write it."""
        return self.familiar_name + self._suffix()

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}" + self._suffix()

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def is_tag(text: str) -> bool:
    """Whether *text* is a tag by the grammar."""
    return bool(_TAG.match(text))


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not looks_like_host:
        domain, path = DEFAULT_DOMAIN, name
    else:
        domain, path = ("docker.io" if first == "index.docker.io" else first), rest
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = OFFICIAL_PREFIX + path
    return domain, path


def _is_path(path: str) -> bool:
    return all(_COMPONENT.match(part) for part in path.split("/"))
