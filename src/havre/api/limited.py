"""A socket with a role: every request is looked at before the server sees it."""

import re
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from havre.api.connection import Connection, Dispatched, House
from havre.api.field_names import named
from havre.api.request import Body, Request
from havre.api.response import Answer, Response, as_error
from havre.api.roles import RUN, Limits, body_refusal, build_refusal, enters, refusal, shared_with
from havre.api.versions import split_version
from havre.base.errors import Forbidden, HavreError, InvalidInput, NotFound, Unavailable
from havre.wire.containers import CreateContainer, UpdateContainer
from havre.wire.exec import ExecConfig
from havre.wire.filters import encode_filters, parse_filters
from havre.wire.networks import CreateNetwork
from havre.wire.volumes import CreateVolume

_ONE: Final = re.compile(r"/(containers|exec)/([^/]+)(/.*)?")
_LISTS: Final = frozenset(("/containers/json", "/containers/prune", "/events"))
_READ_BODIES: Final = re.compile(r"/containers/create|/containers/[^/]+/(exec|update)|/(volumes|networks)/create")

_KINDS: Final[tuple[tuple[str, object], ...]] = (
    ("/containers/create", CreateContainer),
    ("/update", UpdateContainer),
    ("/exec", ExecConfig),
    ("/volumes/create", CreateVolume),
    ("/networks/create", CreateNetwork),
)


class Labels(Protocol):
    """Who bears which labels."""

    def of_container(self, ref: str) -> Mapping[str, str]:
        """The labels of a container. Raises NotFound."""

    def of_exec(self, exec_id: str) -> Mapping[str, str]:
        """Those of the container of an exec instance. Raises NotFound."""

    def reach_of_container(self, ref: str) -> str:
        """What a container has of the host; empty for nothing. Raises NotFound."""

    def reach_of_exec(self, exec_id: str) -> str:
        """The same of the container of an exec instance. Raises NotFound."""


class LimitedHouse:
    """Stands between the connections of one socket and the server."""

    def __init__(self, house: House, limits: Limits) -> None:
        self.heads, self.hang_ups, self.tasks = house.heads, house.hang_ups, house.tasks
        self.labels: Labels | None = None
        self._house = house
        self._limits = limits

    def admit(self, connection: Connection) -> None:
        """See House."""
        self._house.admit(connection)

    def leave(self, connection: Connection) -> None:
        """See House."""
        self._house.leave(connection)

    def dispatch(self, request: Request) -> Dispatched:
        """See House; what is refused never gets to the server."""
        _, path = split_version(request.path)
        try:
            if reason := refusal(self._limits, request.method, path):
                raise Forbidden(reason)
            self._check_scope(request, path)
            self._check_reach(request, path)
        except HavreError as refused:
            return Dispatched(as_error(refused))
        if request.method == "POST" and _READ_BODIES.fullmatch(path):
            return Dispatched(self._after_body(request, path))
        return self._house.dispatch(request)

    def _check_scope(self, request: Request, path: str) -> None:
        label = self._limits.label
        if label is None:
            return
        if path in _LISTS:
            filters = dict(parse_filters(request.query.text("filters")))
            filters["label"] = filters.get("label", frozenset()) | {"=".join(label)}
            request.query.put("filters", encode_filters(filters))
        found = _ONE.fullmatch(path)
        if found is None or path in _LISTS or path == "/containers/create":
            return
        kind, ref = found[1], found[2]
        bears = self._known.of_container(ref) if kind == "containers" else self._known.of_exec(ref)
        if bears.get(label[0]) != label[1]:
            raise NotFound(f"No such container: {ref}" if kind == "containers" else f"No such exec instance: {ref}")

    def _check_reach(self, request: Request, path: str) -> None:
        """A runner gets into no container that somebody else gave a part of the host, nor builds with one."""
        if path == "/build" and (reason := build_refusal(self._limits, request.query.all)):
            raise Forbidden(reason)
        found = _ONE.fullmatch(path)
        if self._limits.role == RUN and found is not None and enters(path):
            kind, ref = found[1], found[2]
            known = self._known
            _forbid(ref, known.reach_of_container(ref) if kind == "containers" else known.reach_of_exec(ref))

    def _check_shared(self, path: str, body: Mapping[str, object]) -> None:
        host = body.get("HostConfig")
        if self._limits.role == RUN and path == "/containers/create" and isinstance(host, dict):
            for ref in shared_with(host):
                _forbid(ref, self._known.reach_of_container(ref))

    @property
    def _known(self) -> Labels:
        if self.labels is None:
            raise Unavailable("the engine is not ready")
        return self.labels

    async def _after_body(self, request: Request, path: str) -> Answer:
        try:
            body = _decoded(await request.body.read(), _kind_of(path))
            if reason := body_refusal(self._limits, path, body):
                raise Forbidden(reason)
            self._check_shared(path, body)
        except HavreError as refused:
            return as_error(refused)
        label = self._limits.label
        if label is not None and path == "/containers/create":
            given = body.get("Labels")
            body["Labels"] = {**(given if isinstance(given, dict) else {}), label[0]: label[1]}
        request.body = Body.of(msgspec.json.encode(body))
        answer = self._house.dispatch(request).answer
        return answer if isinstance(answer, Response) else await answer


def _forbid(ref: str, reach: str) -> None:
    if reach:
        raise Forbidden(f"container {ref[:128]} has {reach}: it is refused on this socket")


def _kind_of(path: str) -> object:
    return next(kind for end, kind in _KINDS if path.endswith(end))


def _decoded(data: bytes, kind: object) -> dict[str, object]:
    """The object, each field by its proper name: what is looked at here is what the server is handed."""
    try:
        value = named(msgspec.json.decode(data or b"{}"), kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as broken:
        raise InvalidInput(f"invalid JSON: {str(broken)[:512]}") from None
    if not isinstance(value, dict):
        raise InvalidInput("invalid JSON: an object is wanted")
    return value
