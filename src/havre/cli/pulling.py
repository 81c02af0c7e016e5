"""Pull and push images and show how it goes: layer lines that move on a terminal, plain lines elsewhere."""

from __future__ import annotations

from havre.cli.screen import STDERR, STDOUT, Screen, write_all
from havre.client.client import Client, json_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def pull(client: Client, screen: Screen, image: str, platform: str, *, quiet: bool, to_stderr: bool = False) -> None:
    """POST /images/create and its progress. Raises ApiError, or ClientError when it fails in the middle."""
    name, tag = split_image(image)
    _pull(client, screen, {"fromImage": name, "tag": tag, "platform": platform}, quiet=quiet, to_stderr=to_stderr)


def pull_all(client: Client, screen: Screen, name: str, platform: str, *, quiet: bool) -> None:
    """The same for every tag of a repository."""
    _pull(client, screen, {"fromImage": name, "platform": platform}, quiet=quiet, to_stderr=False)


def push(client: Client, screen: Screen, name: str, query: dict[str, str], *, quiet: bool) -> None:
    """POST /images/NAME/push and its progress; a *query* without a `tag` is every tag."""
    from havre.cli.credentials import auth_header

    response = client.send("POST", f"/images/{name}/push", query, headers=auth_header(name))
    notes: list[str] = []
    _show(_noting(json_lines(response), notes), screen, quiet=quiet, to_stderr=False)
    for note in () if quiet else notes:
        screen.line(note)


def _noting(lines: Iterator[dict[str, object]], notes: list[str]) -> Iterator[dict[str, object]]:
    """The same lines; what is to be said at their end goes to *notes*."""
    for line in lines:
        yield line
        aux = line.get("aux")
        if isinstance(aux, dict) and aux.get("manifestPushedInsteadOfIndex"):
            index, manifest = (aux[key]["digest"] for key in ("originalIndex", "selectedManifest"))
            notes.append(
                "\n Info -> Not all multiplatform-content is present and only the available single-platform image"
                f" was pushed\n         {index} -> {manifest}"
            )


def _pull(client: Client, screen: Screen, query: dict[str, str], *, quiet: bool, to_stderr: bool) -> None:
    from havre.cli.credentials import auth_header

    response = client.send("POST", "/images/create", query, headers=auth_header(query["fromImage"]))
    _show(json_lines(response), screen, quiet=quiet, to_stderr=to_stderr)


def _show(lines: Iterator[dict[str, object]], screen: Screen, *, quiet: bool, to_stderr: bool) -> None:
    progress = Progress(terminal=screen.is_terminal(STDERR if to_stderr else STDOUT), to_stderr=to_stderr)
    for line in lines:
        if not quiet:
            progress.show(line)


def split_image(image: str) -> tuple[str, str]:
    """Name and tag (or digest) as the API wants them; the tag is `latest` where none is given."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    head, colon, tail = image.rpartition(":")
    if colon and "/" not in tail:
        return head, tail
    return image, "latest"


class Progress:
    """Progress lines of the Engine API; a line with an id replaces the former one of that id on a terminal."""

    def __init__(self, *, terminal: bool, to_stderr: bool = False) -> None:
        self._terminal, self._to_stderr = terminal, to_stderr
        self._rows: dict[str, int] = {}

    def show(self, line: dict[str, object]) -> None:
        """Print one line."""
        if "stream" in line:
            self._put(str(line["stream"]).rstrip("\n"))
            return
        identifier, status = str(line.get("id") or ""), str(line.get("status") or "")
        detail = str(line.get("progress") or "")
        if not status:  # what is for programs alone
            return
        if not self._terminal:
            if not detail:
                self._put(f"{identifier}: {status}" if identifier else status)
            return
        text = f"{identifier}: {status}" if identifier else status
        if not identifier:
            self._rows.clear()
            self._put(text)
        elif identifier in self._rows:
            up = len(self._rows) - self._rows[identifier]
            self._put(f"\x1b[{up}A\x1b[2K\r{text} {detail}".rstrip() + f"\x1b[{up}B\r", end="")
        else:
            self._rows[identifier] = len(self._rows)
            self._put(f"{text} {detail}".rstrip())

    def _put(self, text: str, end: str = "\n") -> None:
        write_all(STDERR if self._to_stderr else STDOUT, (text + end).encode())
