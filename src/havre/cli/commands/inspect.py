"""`havre inspect`: whatever has that name: a container, else an image, a network, a volume."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.inspecting import inspect_all
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ApiError, ClientError
from havre.wire.containers import ContainerInspect
from havre.wire.images import ImageInspect
from havre.wire.networks import Network
from havre.wire.volumes import Volume

_PATHS: dict[str, tuple[str, type]] = {
    "container": ("/containers/{}/json", ContainerInspect),
    "image": ("/images/{}/json", ImageInspect),
    "network": ("/networks/{}", Network),
    "volume": ("/volumes/{}", Volume),
}


def run(given: Given, client: Client, screen: Screen) -> int:
    """JSON documents, or a template's text for each."""
    wanted = given.text("type")
    if wanted and wanted not in _PATHS:
        known = ", ".join(f'"{kind}"' for kind in _PATHS)
        raise ClientError(f'unknown type: "{wanted}": must be one of {known}')
    kinds = [wanted] if wanted else list(_PATHS)
    size = given.switch("size")

    def find(name: str) -> object:
        for kind in kinds:
            path, shape = _PATHS[kind]
            query = {"size": size} if kind == "container" else None
            try:
                return client.get(path.format(name), shape, query)
            except ApiError as error:
                if error.status != 404 or wanted:
                    raise
        raise ClientError(f"Error: No such object: {name}")

    return inspect_all(given.args, find, given.text("format"), screen)


COMMAND = Command(
    summary="Return low-level information on Docker objects",
    usage="[OPTIONS] NAME|ID [NAME|ID...]",
    flags=(
        text("format", "Format output using a custom template: json or TEMPLATE", short="f"),
        switch("size", "Display total file sizes if the type is container", short="s"),
        text("type", "Only inspect objects of the given type"),
    ),
    at_least=1,
    run=run,
)
