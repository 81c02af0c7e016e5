"""`docker build` without BuildKit: an archive in, a stream of lines out."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Protocol, TypeVar

import msgspec

from havre.api.credentials import registry_config_of
from havre.api.decode import read_json
from havre.api.request import Query, Request
from havre.api.response import TAR, Answer, Stream, as_json, encoded
from havre.api.router import Route
from havre.api.status import message_of
from havre.base.errors import HavreError, InvalidInput, NotSupported
from havre.base.numbers import parse_int
from havre.build.cache_places import CacheKind, CachePlace, parse_place
from havre.build.context import REMOTES
from havre.build.model import BuildFailed, BuildWishes, Report, StepLimits
from havre.engine.build_lines import ClassicLines, Lines, QuietLines, StepLines
from havre.engine.transfers import credentials_of
from havre.registry.client.keyring import Credentials
from havre.wire.build import ExportBuildCache
from havre.wire.filters import Filters, parse_filters
from havre.wire.progress import LINE_END, ProgressLine
from havre.wire.system import PruneBuildReport

_BUILDKIT: Final = "2"
_T = TypeVar("_T")


class _Ulimit(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    hard: int = 0
    soft: int = 0


class Builds(Protocol):
    """What is asked of the engine."""

    def build(
        self, body: AsyncIterator[bytes], wishes: BuildWishes, lines: Lines | None = None, session: str = ""
    ) -> AsyncIterator[ProgressLine]:
        """Build an image, and tell it in *lines*."""

    async def look(self, body: AsyncIterator[bytes], wishes: BuildWishes, call: str) -> Report:
        """What is to be said about a Dockerfile, instead of a build."""


class BuildCache(Protocol):
    """What is asked of the engine about the builder's cache."""

    async def prune(self, filters: Filters, *, every: bool, keep_bytes: int) -> PruneBuildReport:
        """Remove what the cache holds for nobody."""

    def export(self, keys: Sequence[str], tag: str) -> AsyncIterator[bytes]:
        """Steps as an OCI layout in an archive."""


def routes(builds: Builds, cache: BuildCache) -> list[Route]:
    """The routes that ask *builds* and *cache*."""

    async def build(request: Request) -> Answer:
        query = request.query
        if query.text("version") == _BUILDKIT:
            raise NotSupported("BuildKit's own protocol is not spoken here: use DOCKER_BUILDKIT=0, or `havre build`")
        wishes = replace(parse_wishes(query), credentials=_credentials(request))
        if (call := query.text("call")) not in {"", "build"}:
            report = await builds.look(aiter(request.body), wishes, call)
            return as_json({"Text": report.text, "Findings": report.findings})
        return await _started(builds.build(aiter(request.body), wishes, _lines(query), query.text("session")))

    async def prune(request: Request) -> Answer:
        query = request.query
        keep_bytes = _number(query, "reserved-space") or _number(query, "keep-storage")
        filters = parse_filters(query.text("filters"))
        return as_json(await cache.prune(filters, every=query.flag("all"), keep_bytes=keep_bytes))

    async def export(request: Request) -> Answer:
        wanted = await read_json(request, ExportBuildCache)
        return Stream(cache.export(wanted.get("Keys") or [], wanted.get("Tag") or "latest"), TAR)

    return [
        Route("POST", "/build", build, endless=True),
        Route("POST", "/build/prune", prune),
        Route("POST", "/build/cache", export),
    ]


def _credentials(request: Request) -> dict[str, Credentials]:
    """X-Registry-Config: who asks which registry."""
    return {server: credentials_of(auth) for server, auth in registry_config_of(request).items()}


def parse_wishes(query: Query) -> BuildWishes:
    """What the query of POST /build says. Raises InvalidInput."""
    cache_from = tuple(parse_place(text, default=CacheKind.IMAGE) for text in _texts(query, "cachefrom"))
    cache_to = tuple(parse_place(text) for text in _texts(query, "cacheto"))
    return BuildWishes(
        dockerfile=query.text("dockerfile") or "Dockerfile",
        remote=_remote(query),
        names=tuple(name for name in query.all("t") if name),
        target=query.text("target"),
        args=_json_of_args(query),
        labels=_json(query, "labels", dict[str, str]) or {},
        no_cache=query.flag("nocache"),
        pull=query.flag("pull"),
        squash=query.flag("squash"),
        network=query.text("networkmode"),
        extra_hosts=_extra_hosts(query),
        limits=_limits(query),
        platform=query.text("platform"),
        contexts=_json(query, "contexts", dict[str, str]) or {},
        no_cache_stages=tuple(query.all("nocachefilter")),
        allowed=frozenset(query.all("allow")),
        hostname=_json_of_args(query).get("BUILDKIT_SANDBOX_HOSTNAME") or "",
        source_date_epoch_s=_epoch(_json_of_args(query).get("SOURCE_DATE_EPOCH")),
        rewrite_timestamps=query.flag("rewritetimestamps"),
        security_options=_texts(query, "securityopt"),
        cache_from=cache_from,
        cache_to=cache_to,
        inline_cache=_is_inline(query, cache_from, cache_to),
        keep_broken=query.text("progress") != "steps",
    )


def _is_inline(query: Query, cache_from: Iterable[CachePlace], cache_to: Iterable[CachePlace]) -> bool:
    """Whether the image carries its cache: asked for, or to be what the next `--cache-from IMAGE` finds."""
    asked = (_json_of_args(query).get("BUILDKIT_INLINE_CACHE") or "") in {"1", "true"}
    kinds = {place.kind for place in cache_to} | {place.kind for place in cache_from if place.kind is CacheKind.IMAGE}
    return asked or bool(kinds & {CacheKind.INLINE, CacheKind.IMAGE})


def _texts(query: Query, key: str) -> tuple[str, ...]:
    return tuple(text for text in _json(query, key, list[str]) or () if text)


def _lines(query: Query) -> Lines:
    if query.flag("q"):
        return QuietLines()
    return StepLines() if query.text("progress") == "steps" else ClassicLines()


def _remote(query: Query) -> str:
    remote = query.text("remote")
    if remote and not remote.startswith(REMOTES):
        raise InvalidInput(f"remote URL could not be recognized: {remote[:256]}")
    return remote


def _limits(query: Query) -> StepLimits:
    ulimits = _json(query, "ulimits", list[_Ulimit]) or []
    return StepLimits(
        memory_bytes=_number(query, "memory"),
        memory_swap_bytes=_number(query, "memswap"),
        cpu_shares=_number(query, "cpushares"),
        cpu_period=_number(query, "cpuperiod"),
        cpu_quota=_number(query, "cpuquota"),
        cpuset_cpus=query.text("cpusetcpus"),
        cpuset_mems=query.text("cpusetmems"),
        shm_bytes=_number(query, "shmsize"),
        cgroup_parent=query.text("cgroupparent"),
        ulimits=tuple((one.name, one.soft, one.hard) for one in ulimits),
    )


def _extra_hosts(query: Query) -> tuple[str, ...]:
    """Repeated, or as a JSON object as docker-py sends them."""
    found: list[str] = []
    for text in query.all("extrahosts"):
        if text.startswith("{"):
            hosts = _decoded("extrahosts", text, dict[str, str])
            found += [f"{name}:{address}" for name, address in hosts.items()]
        elif text:
            found.append(text)
    return tuple(found)


def _json_of_args(query: Query) -> dict[str, str | None]:
    return _json(query, "buildargs", dict[str, str | None]) or {}


def _epoch(text: str | None) -> int | None:
    return None if not text else parse_int(text, what="SOURCE_DATE_EPOCH")


def _number(query: Query, key: str) -> int:
    text = query.find(key)
    return parse_int(text, what=key, low=-1, high=2**63 - 1) if text else 0


def _json(query: Query, key: str, kind: type[_T]) -> _T | None:
    text = query.find(key)
    return None if text is None or text == "null" else _decoded(key, text, kind)


def _decoded(key: str, text: str, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidInput(f"error reading {key}: {error}") from None


async def _started(lines: AsyncIterator[ProgressLine]) -> Stream:
    """What fails before the first line is raised; later, it is the last line, with the code to exit with."""
    first = await anext(lines)
    return Stream(_pieces(first, lines))


async def _pieces(first: ProgressLine, lines: AsyncIterator[ProgressLine]) -> AsyncIterator[bytes]:
    yield encoded(first) + LINE_END
    try:
        async with aclosing(lines) as rest:  # type: ignore[type-var]  # a generator, though nobody says so
            async for line in rest:
                yield encoded(line) + LINE_END
    except (HavreError, OSError) as failed:
        message = message_of(failed)
        code = failed.code if isinstance(failed, BuildFailed) else 1
        last: ProgressLine = {"errorDetail": {"code": code, "message": message}, "error": message}
        yield encoded(last) + LINE_END
