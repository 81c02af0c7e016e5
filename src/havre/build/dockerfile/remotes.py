"""Sources of ADD that are fetched: web addresses and git repositories, by their form alone."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.instructions import Add, Copy
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.values import parse_bool

_WEB: Final = ("http", "https")
_SCHEME: Final = re.compile(r"([a-zA-Z0-9]+)://", re.ASCII)
_SCP: Final = re.compile(
    r"(?P<place>[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:(?P<path>[^?#]*))(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?", re.ASCII
)
_SWITCHES: Final = frozenset({"submodules", "keep-git-dir", "fetch-by-commit"})
_MTIMES: Final = frozenset({"checkout", "commit"})
_UNNAMED: Final = "__unnamed__"


@dataclass(frozen=True, slots=True)
class WebSource:
    """A file behind `http://` or `https://`; *file_name* is one component, what the file is called in a folder."""

    url: str
    file_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """A repository: what of it, as which commit; None leaves the choice to the builder.

    *remote* goes to git as it is, *subdir* stays inside of the repository.
    """

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool | None = None
    mtime: str = "checkout"
    fetch_by_commit: bool = False

    @classmethod
    def read(cls, remote: str, fragment: str, query: str) -> Self:
        """Raises DockerfileError for a query that cannot be, or for what git would take for an option."""
        ref, _, subdir = fragment.partition(":")
        given = _query(query)
        switches = {name: _switch(name, given[name]) for name in _SWITCHES & given.keys()}
        mtime = given.get("mtime", "checkout")
        if mtime not in _MTIMES:
            raise DockerfileError(f'invalid mtime value: {quoted(mtime)} (must be "checkout" or "commit")')
        ref = _ref(ref, given)
        if ref.startswith("-") or remote.startswith("-"):
            raise DockerfileError(f"invalid git reference {quoted(ref or remote)}")
        return cls(
            remote=remote,
            ref=ref,
            subdir=posixpath.normpath("/" + _agreed("subdir", subdir, given.get("subdir", ""))).strip("/"),
            checksum=given.get("checksum", given.get("commit", "")),
            keep_git_dir=switches.get("keep-git-dir"),
            submodules=switches.get("submodules"),
            mtime=mtime,
            fetch_by_commit=switches.get("fetch-by-commit", False),
        )


def remote_of(source: str) -> WebSource | GitSource | None:
    """What is fetched for *source*; None for a path. Raises DockerfileError for an address that cannot be."""
    scheme = _SCHEME.match(source)
    if scheme is None:
        found = _SCP.fullmatch(source)
        return None if found is None else GitSource.read(found["place"], found["fragment"] or "", found["query"] or "")
    kind = scheme[1].lower()
    if kind not in {*_WEB, "git", "ssh"}:
        return None
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise DockerfileError(f"invalid address {quoted(source)}: {error}") from None
    if kind in _WEB and not parts.path.endswith(".git"):
        return WebSource(source, _file_name(parts.path))
    return GitSource.read(urlunsplit((*parts[:3], "", "")), unquote(parts.fragment), parts.query)


def check_sources(given: Copy | Add) -> None:
    """Refuse sources that *given*, its variables replaced, cannot have. Raises DockerfileError at its lines."""
    try:
        remotes = [remote_of(source) for source in given.sources]
        if isinstance(given, Copy):
            _check_copy(remotes)
        else:
            _check_add(given, remotes)
    except DockerfileError as error:
        raise error.at(given.location) from None


def _check_copy(remotes: list[WebSource | GitSource | None]) -> None:
    for remote in remotes:
        if isinstance(remote, WebSource):
            raise DockerfileError("source can't be a URL for COPY")
        if isinstance(remote, GitSource):
            raise DockerfileError("source can't be a git ref for COPY")


def _check_add(given: Add, remotes: list[WebSource | GitSource | None]) -> None:
    for remote in remotes:
        if not isinstance(remote, GitSource):
            continue
        if None not in {given.keep_git_dir, remote.keep_git_dir} and given.keep_git_dir != remote.keep_git_dir:
            raise DockerfileError("inconsistent keep-git-dir configuration")
        if given.checksum and remote.checksum and given.checksum != remote.checksum:
            raise DockerfileError(f"checksum mismatch {quoted(given.checksum)} != {quoted(remote.checksum)}")
    if given.checksum and len(given.sources) != 1:
        raise DockerfileError("checksum can't be specified for multiple sources")
    if given.checksum and remotes[0] is None:
        raise DockerfileError("checksum requires HTTP(S) or Git sources")


def _file_name(path: str) -> str:
    name = posixpath.basename(unquote(path).rstrip("/"))
    return _UNNAMED if name in {"", ".", ".."} or "\0" in name else name


_QUERIES: Final = frozenset({*_SWITCHES, "ref", "tag", "branch", "subdir", "checksum", "commit", "mtime"})


def _query(text: str) -> dict[str, str]:
    """Each name once; one without value is a switch that is on."""
    try:
        given = parse_qs(text, keep_blank_values=True, max_num_fields=2 * len(_QUERIES))
    except ValueError as error:
        raise DockerfileError(f"invalid query {quoted(text)}: {error}") from None
    for name, values in given.items():
        if name not in _QUERIES:
            raise DockerfileError(f"unexpected query {quoted(name)}")
        if len(values) > 1:
            raise DockerfileError(f"query {quoted(name)} has multiple values")
        if not values[0] and name not in _SWITCHES:
            raise DockerfileError(f"query {quoted(name)} has no value")
    return {name: values[0] for name, values in given.items()}


def _switch(name: str, value: str) -> bool:
    truth = parse_bool(value) if value else True
    if truth is None:
        raise DockerfileError(f"invalid {name} value: {quoted(value)}")
    return truth


def _ref(fragment: str, given: Mapping[str, str]) -> str:
    ref = _agreed("ref", fragment, given.get("ref", ""))
    if "tag" in given and "branch" in given:
        raise DockerfileError("branch conflicts with tag")
    for name, prefix in (("tag", "refs/tags/"), ("branch", "refs/heads/")):
        if name in given:
            ref = _agreed("ref", ref, prefix + given[name].removeprefix(prefix))
    return ref


def _agreed(name: str, one: str, other: str) -> str:
    if one and other and one != other:
        raise DockerfileError(f"{name} conflicts: {quoted(one)} vs {quoted(other)}")
    return one or other
