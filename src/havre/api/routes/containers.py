"""Containers: making, finding, starting, ending."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from havre.api.decode import read_json
from havre.api.request import Query, Request
from havre.api.response import Answer, Response, Stream, as_json, encoded
from havre.api.router import Route
from havre.base.errors import InvalidInput, NotSupported
from havre.base.numbers import parse_int
from havre.wire.containers import (
    BirthStep,
    ContainerInspect,
    ContainerSummary,
    CreateContainer,
    CreateResponse,
    PruneContainersReport,
    TopResponse,
    UpdateContainer,
    UpdateResponse,
    WaitResponse,
)
from havre.wire.filters import Filters, parse_filters

_SEVERAL_NETWORKS_SINCE: Final = (1, 44)
_IPC_PRIVATE_SINCE: Final = (1, 40)
_CONDITIONS: Final = ("not-running", "next-exit", "removed")
_HALVES: Final = {"HostConfig", "NetworkingConfig"}
_INT32: Final = 1 << 31


class Containers(Protocol):
    """What is asked of the engine about containers as things."""

    async def create(self, wanted: CreateContainer, name: str | None, platform: str | None) -> CreateResponse:
        """Make one."""

    async def list(self, *, all: bool, limit: int, size: bool, filters: Filters) -> list[ContainerSummary] | bytes:  # noqa: A002
        """The rows of `ps`, perhaps encoded already."""

    async def inspect(self, ref: str, size: bool, version: tuple[int, int]) -> ContainerInspect | bytes:  # noqa: FBT001
        """Everything about one."""

    async def rename(self, ref: str, name: str) -> None:
        """Give it another name."""

    async def remove(self, ref: str, *, force: bool, volumes: bool, link: bool) -> None:
        """Make it go."""

    async def prune(self, filters: Filters) -> PruneContainersReport:
        """Remove those that do not run."""


class Lives(Protocol):
    """What is asked of the engine about containers as processes."""

    async def start(self, ref: str, detach_keys: str = "") -> None:
        """Start it."""

    async def start_told(self, ref: str) -> list[BirthStep]:
        """Start it, and tell what took how long."""

    async def stop(self, ref: str, timeout_s: int | None, signal: str | None) -> None:
        """Ask it to end, then make it."""

    async def restart(self, ref: str, timeout_s: int | None, signal: str | None) -> None:
        """Stop it, then start it."""

    async def kill(self, ref: str, signal: str) -> None:
        """Send a signal."""

    async def pause(self, ref: str) -> None:
        """Freeze it."""

    async def unpause(self, ref: str) -> None:
        """Let it go on."""

    async def update(self, ref: str, wanted: UpdateContainer) -> UpdateResponse:
        """Change its limits or its restart policy."""


class Watched(Protocol):
    """What is asked of the engine about containers that run."""

    async def resize(self, ref: str, height: int, width: int) -> None:
        """Tell its terminal a new size."""

    async def top(self, ref: str, ps_args: str) -> TopResponse:
        """Its processes."""

    def waiter(self, ref: str, condition: str) -> Awaitable[WaitResponse]:
        """Its end, awaited from the call on. Raises NotFound at the call."""


def routes(containers: Containers) -> list[Route]:
    """The routes that ask *containers*."""

    async def create(request: Request) -> Answer:
        wanted, query = await _read_wanted(request), request.query
        return as_json(await containers.create(wanted, query.find("name"), query.find("platform")), 201)

    async def list_all(request: Request) -> Answer:
        query = request.query
        limit = parse_int(query.text("limit") or "0", what="limit", low=-_INT32, high=_INT32)
        rows = await containers.list(
            all=query.flag("all"), limit=limit, size=query.flag("size"), filters=parse_filters(query.text("filters"))
        )
        return as_json(rows)

    async def inspect(request: Request) -> Answer:
        return as_json(await containers.inspect(request.parameters["id"], request.query.flag("size"), request.version))

    async def rename(request: Request) -> Answer:
        await containers.rename(request.parameters["id"], request.query.text("name"))
        return Response(204)

    async def remove(request: Request) -> Answer:
        query = request.query
        await containers.remove(
            request.parameters["id"], force=query.flag("force"), volumes=query.flag("v"), link=query.flag("link")
        )
        return Response(204)

    async def prune(request: Request) -> Answer:
        return as_json(await containers.prune(parse_filters(request.query.text("filters"))))

    return [
        Route("POST", "/containers/create", create),
        Route("POST", "/containers/prune", prune),
        Route("GET", "/containers/json", list_all),
        Route("GET", "/containers/{id}/json", inspect),
        Route("POST", "/containers/{id}/rename", rename),
        Route("DELETE", "/containers/{id}", remove),
        Route("DELETE", "/containers/{id:*}", remove),  # a link is named by its container and its alias
    ]


def life_routes(lives: Lives) -> list[Route]:
    """The routes that begin and end a life, or change it."""

    async def start(request: Request) -> Answer:
        if await request.body.read() not in (b"", b"{}", b"null"):
            raise InvalidInput(
                "starting container with non-empty request body was removed with version 1.24 of the API"
            )
        if request.query.find("checkpoint") is not None:
            raise NotSupported("starting from a checkpoint is not available in this version of Havre")
        if request.query.flag("explain"):
            return as_json({"Steps": await lives.start_told(request.parameters["id"])})
        await lives.start(request.parameters["id"], request.query.text("detachKeys"))
        return Response(204)

    async def stop(request: Request) -> Answer:
        await lives.stop(request.parameters["id"], _timeout(request.query), request.query.find("signal"))
        return Response(204)

    async def restart(request: Request) -> Answer:
        await lives.restart(request.parameters["id"], _timeout(request.query), request.query.find("signal"))
        return Response(204)

    async def kill(request: Request) -> Answer:
        await lives.kill(request.parameters["id"], request.query.text("signal") or "SIGKILL")
        return Response(204)

    async def update(request: Request) -> Answer:
        wanted = await read_json(request, UpdateContainer, required=True)
        return as_json(await lives.update(request.parameters["id"], wanted))

    return [
        Route("POST", "/containers/{id}/update", update),
        Route("POST", "/containers/{id}/start", start),
        Route("POST", "/containers/{id}/stop", stop),
        Route("POST", "/containers/{id}/restart", restart),
        Route("POST", "/containers/{id}/kill", kill),
        Route("POST", "/containers/{id}/pause", _simple(lives.pause)),
        Route("POST", "/containers/{id}/unpause", _simple(lives.unpause)),
    ]


def watch_routes(watched: Watched) -> list[Route]:
    """The routes that look at what runs."""

    async def resize(request: Request) -> Answer:
        await watched.resize(request.parameters["id"], *parse_size(request.query))
        return Response(200)

    async def top(request: Request) -> Answer:
        return as_json(await watched.top(request.parameters["id"], request.query.text("ps_args") or "-ef"))

    async def wait(request: Request) -> Answer:
        condition = request.query.text("condition") or "not-running"
        if condition not in _CONDITIONS:
            raise InvalidInput(f'invalid condition: "{condition[:64]}"')
        # The head leaves at once: `docker run` starts the container only after it.
        return Stream(_when(watched.waiter(request.parameters["id"], condition)))

    return [
        Route("POST", "/containers/{id}/resize", resize),
        Route("GET", "/containers/{id}/top", top),
        Route("POST", "/containers/{id}/wait", wait, endless=True),
    ]


def parse_size(query: Query) -> tuple[int, int]:
    """The height and width of a terminal. Raises InvalidInput."""
    return (
        parse_int(query.text("h"), what="resize height", high=(1 << 16) - 1),
        parse_int(query.text("w"), what="resize width", high=(1 << 16) - 1),
    )


def _simple(verb: Callable[[str], Awaitable[None]]) -> Callable[[Request], Awaitable[Answer]]:
    async def handler(request: Request) -> Answer:
        await verb(request.parameters["id"])
        return Response(204)

    return handler


async def _when(ending: Awaitable[WaitResponse]) -> AsyncIterator[bytes]:
    yield encoded(await ending) + b"\n"


def _timeout(query: Query) -> int | None:
    text = query.find("t")
    return None if text is None else parse_int(text, what="timeout", low=-_INT32, high=_INT32)


async def _read_wanted(request: Request) -> CreateContainer:
    wanted = await read_json(request, CreateContainer, required=True)
    if not wanted.keys() - _HALVES:
        raise InvalidInput("config cannot be empty in order to create a container")
    _check_networks(wanted, request.version)
    host = wanted.get("HostConfig")
    if host is not None and request.version < _IPC_PRIVATE_SINCE and not host.get("IpcMode"):
        host["IpcMode"] = "shareable"  # older clients join the namespace of a container that said nothing
    return wanted


def _check_networks(wanted: CreateContainer, version: tuple[int, int]) -> None:
    networks = (wanted.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    if len(networks) > 1 and version < _SEVERAL_NETWORKS_SINCE:
        raise InvalidInput(f"container cannot be created with multiple network endpoints: {', '.join(networks)}")
