"""Images from containers: `docker commit`."""

from dataclasses import dataclass
from typing import Protocol

from havre.api.decode import read_json
from havre.api.request import Request
from havre.api.response import Answer, as_json
from havre.api.router import Route
from havre.base.errors import InvalidInput
from havre.wire.containers import CreateContainer


@dataclass(frozen=True, slots=True)
class CommitWishes:
    """Which *container*, and what its image is to be called and to say; *config* goes before the container's own."""

    container: str
    repository: str
    tag: str
    message: str
    author: str
    pause: bool
    changes: tuple[str, ...]
    config: CreateContainer


class Commits(Protocol):
    """What is asked of the engine."""

    async def commit(self, wishes: CommitWishes) -> str:
        """Make an image of what a container changed; its id."""


def routes(commits: Commits) -> list[Route]:
    """The one route that asks *commits*."""

    async def commit(request: Request) -> Answer:
        query = request.query
        container = query.text("container")
        if not container:
            raise InvalidInput("container name cannot be empty")
        wishes = CommitWishes(
            container=container,
            repository=query.text("repo"),
            tag=query.text("tag"),
            message=query.text("comment"),
            author=query.text("author"),
            pause=query.flag("pause", default=True),
            changes=tuple(query.all("changes")),
            config=await read_json(request, CreateContainer),
        )
        return as_json({"Id": await commits.commit(wishes)}, 201)

    return [Route("POST", "/commit", commit)]
