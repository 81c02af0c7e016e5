"""What `havre build -o` makes of the image: a folder, an archive of its files, an archive of the image, a push."""

from __future__ import annotations

import os

from havre.cli.build_flags import csv_fields
from havre.cli.files import write_whole
from havre.cli.screen import STDOUT, Screen, write_all
from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from havre.cli.flags import Given
    from havre.client.client import Client

_KINDS = ("image", "docker", "oci", "tar", "local", "registry")
_OWNERLESS = ("local", "tar")


class Output:
    """One destination: *kind*, the path *dest* (`-` for standard output), the *name* of the image or empty."""

    __slots__ = ("dest", "kind", "name", "push")

    def __init__(self, kind: str, dest: str, name: str, *, push: bool) -> None:
        self.kind, self.dest, self.name, self.push = kind, dest, name, push


def outputs_of(given: Given) -> list[Output]:
    """The destinations that *given* names. Raises ClientError."""
    found = [_output(value) for value in given.many("output")]
    if given.switch("push"):
        found.append(Output("registry", "", "", push=True))
    return found


def _output(value: str) -> Output:
    if value == "-":
        return Output("tar", "-", "", push=False)
    if "=" not in value:
        return Output("local", value, "", push=False)
    fields = csv_fields(value, "output")
    kind = fields.get("type", "")
    if kind not in _KINDS:
        raise ClientError(f'invalid value "{value}" for flag --output: unknown output type "{kind}"')
    dest = fields.get("dest", "")
    if kind == "local" and not dest:
        raise ClientError("dest is required for local output")
    if kind in ("oci", "tar") and not dest:
        dest = "-"
    push = kind == "registry" or fields.get("push", "") in ("1", "true")
    return Output(kind, dest, fields.get("name", ""), push=push)


def keeps_image(outputs: list[Output], names: list[str]) -> bool:
    """Whether the image itself is wanted: no destination, a name, or a destination that is the image."""
    return not outputs or bool(names) or any(one.kind not in (*_OWNERLESS, "oci", "docker") for one in outputs)


def check_outputs(outputs: list[Output], screen: Screen) -> None:
    """Raises ClientError for an archive that would go to a terminal."""
    if any(one.dest == "-" for one in outputs) and screen.is_terminal(STDOUT):
        raise ClientError("dest file is required for an archive. refusing to write to console")


def write_output(client: Client, screen: Screen, output: Output, image: str, names: list[str]) -> None:
    """Make one output of the image *image*. Raises ClientError."""
    if output.kind == "local":
        _write_folder(client, image, output.dest)
    elif output.kind == "tar":
        _write(client, f"/images/{image}/tree", output.dest)
    elif output.kind in ("oci", "docker") and output.dest:
        reference = output.name or (names[0] if names else image)
        _write(client, f"/images/{reference}/get", output.dest)
    if output.push:
        for name in names or [output.name]:
            _push(client, screen, name)


def _write(client: Client, path: str, dest: str) -> None:
    pieces = client.send("GET", path).chunks()
    if dest == "-":
        for piece in pieces:
            write_all(STDOUT, piece)
    else:
        write_whole(dest, pieces)


def _write_folder(client: Client, image: str, dest: str) -> None:
    from havre.cli.tar_in import Stream, unpack

    os.makedirs(dest, exist_ok=True)
    unpack(Stream(client.send("GET", f"/images/{image}/tree").chunks()), dest, "", "")


def _push(client: Client, screen: Screen, name: str) -> None:
    from havre.cli.credentials import auth_header
    from havre.cli.pulling import Progress, split_image
    from havre.client.client import json_lines

    if not name:
        raise ClientError("tag is needed when pushing to registry")
    path, tag = split_image(name)
    response = client.send("POST", f"/images/{path}/push", {"tag": tag}, headers=auth_header(name))
    progress = Progress(terminal=screen.is_terminal())
    for line in json_lines(response):
        progress.show(line)
