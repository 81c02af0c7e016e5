"""From method and path to the route that answers."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from havre.api.request import Request
from havre.api.response import Answer, Response

Handler: TypeAlias = Callable[[Request], Response | Awaitable[Answer]]
_FIELD: Final = re.compile(r"\{(\w+)(:\*)?\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path.

    `{id}` in the path stands for one part without a slash, `{name:*}` for one or more: the names of images
    come unescaped. A handler that never waits may be a plain function. With *endless* the work has no purpose
    without its client and ends with it; everything else runs to its end though nobody listens any more.
    """

    method: str
    path: str
    handler: Handler
    endless: bool = False


class Router:
    """All routes; of several that fit, the first given."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            if "{" not in route.path:
                self._exact.setdefault((route.method, route.path), route)
            else:
                key = (route.method, route.path.split("/", 2)[1])
                self._patterns.setdefault(key, []).append((_pattern(route.path), route))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and the variable parts of *path*, or None."""
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, {}
        parts = path.split("/", 2)
        if len(parts) < 3:
            return None
        for pattern, route in self._patterns.get((method, parts[1]), ()):
            if found := pattern.fullmatch(path):
                values = found.groupdict()
                # Such a part names a folder wherever a path is made of it; no noun of the API is called so.
                if any(part in ("", ".", "..") for value in values.values() for part in value.split("/")):
                    return None
                return route, values
        return None


def _pattern(path: str) -> re.Pattern[str]:
    text, position = "", 0
    for field in _FIELD.finditer(path):
        text += re.escape(path[position : field.start()])
        text += f"(?P<{field[1]}>.+)" if field[2] else f"(?P<{field[1]}>[^/]+)"
        position = field.end()
    return re.compile(text + re.escape(path[position:]), re.DOTALL)
