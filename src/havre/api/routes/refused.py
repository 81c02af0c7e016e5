"""The parts of the Engine API that this version of Havre does not have: each says so, none answers 404."""

from collections.abc import Callable
from typing import Final, NoReturn

from havre.api.request import Request
from havre.api.response import Response, as_json
from havre.api.router import Route
from havre.base.errors import NotFound, NotSupported, Unavailable
from havre.wire.filters import parse_filters

_NO_SWARM: Final = (
    "This node is not a swarm manager. "
    'Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
)
_SWARM: Final = (
    *(
        ("GET", path)
        for path in ("/swarm", "/swarm/unlockkey", "/services", "/nodes", "/tasks", "/secrets", "/configs")
    ),
    *(("GET", path) for path in ("/services/{id}", "/services/{id}/logs", "/nodes/{id}", "/tasks/{id}")),
    *(("GET", path) for path in ("/tasks/{id}/logs", "/secrets/{id}", "/configs/{id}")),
    *(("POST", path) for path in ("/swarm/leave", "/swarm/update", "/swarm/unlock", "/services/create")),
    *(("POST", path) for path in ("/services/{id}/update", "/nodes/{id}/update")),
    *(("POST", path) for path in ("/secrets/create", "/secrets/{id}/update")),
    *(("POST", path) for path in ("/configs/create", "/configs/{id}/update")),
    *(("DELETE", path) for path in ("/services/{id}", "/nodes/{id}", "/secrets/{id}", "/configs/{id}")),
)
_NOT_YET: Final = (
    ("POST", "/swarm/init", "swarm mode is"),
    ("POST", "/swarm/join", "swarm mode is"),
    ("POST", "/build/cancel", "building images is"),
    ("POST", "/session", "building images is"),
    ("POST", "/grpc", "building images is"),
    ("GET", "/containers/{id}/checkpoints", "checkpoints are"),
    ("POST", "/containers/{id}/checkpoints", "checkpoints are"),
    ("DELETE", "/containers/{id}/checkpoints/{checkpoint}", "checkpoints are"),
    ("GET", "/plugins/privileges", "plugins are"),
    ("POST", "/plugins/pull", "plugins are"),
    ("POST", "/plugins/create", "plugins are"),
    *(
        ("POST", f"/plugins/{{name:*}}/{verb}", "plugins are")
        for verb in ("enable", "disable", "push", "set", "upgrade")
    ),
)


def routes() -> list[Route]:
    """Everything of the API that is not served elsewhere."""
    return [
        *(Route(method, path, _refusal(Unavailable(_NO_SWARM))) for method, path in _SWARM),
        *(
            Route(method, path, _refusal(NotSupported(f"{what} not available in this version of Havre")))
            for method, path, what in _NOT_YET
        ),
        Route("GET", "/plugins", _no_plugins),
        Route("GET", "/plugins/{name:*}/json", _no_such_plugin),
        Route("DELETE", "/plugins/{name:*}", _no_such_plugin),
    ]


def _refusal(error: NotSupported | Unavailable) -> Callable[[Request], Response]:
    def refuse(_request: Request) -> NoReturn:
        raise type(error)(error.message)

    return refuse


def _no_plugins(request: Request) -> Response:
    parse_filters(request.query.text("filters"))
    return as_json([])


def _no_such_plugin(request: Request) -> NoReturn:
    raise NotFound(f'plugin "{request.parameters["name"]}" not found')
