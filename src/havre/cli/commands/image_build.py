"""`havre build`: an image from a Dockerfile and the files beside it."""

from __future__ import annotations

import os

from havre.cli.build_flags import FLAGS, query_of
from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import STDERR, Screen
from havre.client.client import Client
from havre.client.errors import ApiError, ClientError
from havre.client.quick_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from havre.cli.build_progress import Progress
    from havre.cli.build_sources import Context
    from havre.client.connection import Response

_AROUND = 2


def run(given: Given, client: Client, screen: Screen) -> int:
    """Build, write the outputs, print the id where only that was asked for; the code of a RUN that failed."""
    from havre.cli.build_caches import cache_fields, write_caches
    from havre.cli.build_lending import lend
    from havre.cli.build_outputs import check_outputs, keeps_image, outputs_of, write_output
    from havre.cli.build_sources import open_context

    outputs, names = outputs_of(given), given.many("tag")
    check_outputs(outputs, screen)
    context = open_context(given.args[0], given.text("file"))
    query = [*query_of(given), ("dockerfile", context.dockerfile), ("progress", "steps")]
    query += [*_with_contexts(given, context), *cache_fields(given, context, screen)]
    call = "check" if given.switch("check") else given.text("call")
    if call != "build":
        return _look(client, screen, context, [*query, ("call", call)])
    if session := lend(client, given):
        query.append(("session", session))
    progress = _progress_of(given, screen)
    build = _Build(client, screen, context, progress)
    try:
        code, image = build.run(query)
    finally:
        progress.close()
    if progress.warnings and not given.switch("quiet"):
        many = "warnings" if len(progress.warnings) > 1 else "warning"
        listed = "".join(f"\n - {warning}" for warning in progress.warnings)
        screen.error(f"\n {len(progress.warnings)} {many} found:{listed}")
    if code:
        return code
    write_caches(client, build.caches)
    for output in outputs:
        write_output(client, screen, output, image, names)
    if not keeps_image(outputs, names):
        client.act("DELETE", f"/images/{image}")
    _write_files(given, image, names)
    if given.switch("quiet"):
        screen.line(image)
    return 0


def _look(client: Client, screen: Screen, context: Context, query: list[tuple[str, str]]) -> int:
    """Print what is to be said about the Dockerfile; 1 when a check found something."""
    from urllib.parse import urlencode

    response = client.send("POST", f"/build?{urlencode(query)}", stream=context.pieces)
    report = loads(response.read())
    if not isinstance(report, dict):
        raise ClientError("the daemon's answer is no object")
    screen.write(str(report.get("Text", "")).encode(errors="surrogateescape"))
    return 1 if report.get("Findings") else 0


class _Build:
    """One request, and what it tells."""

    def __init__(self, client: Client, screen: Screen, context: Context, progress: Progress) -> None:
        self._client, self._screen, self._context, self._progress = client, screen, context, progress
        self.caches: list[tuple[str, list[str]]] = []
        """Folders of this machine, and the keys of the steps that are to be written there."""

    def run(self, query: list[tuple[str, str]]) -> tuple[int, str]:
        """The exit code and the image's id."""
        from urllib.parse import urlencode

        from havre.cli.build_lending import registry_config

        try:
            target = f"/build?{urlencode(query)}"
            response = self._client.send("POST", target, stream=self._context.pieces, headers=registry_config())
        except ApiError as error:
            self._told(str(error), _line_in(str(error)))
            return 1, ""
        return self._follow(response)

    def _follow(self, response: Response) -> tuple[int, str]:
        image = ""
        for raw in response.lines():
            line = loads(raw)
            if not isinstance(line, dict):
                raise ClientError(f"a line of progress is no object: {raw[:200]!r}")
            if error := line.get("error"):
                detail = line.get("errorDetail")
                code = detail.get("code") if isinstance(detail, dict) else None
                self._told(str(error), self._progress.line)
                return (code if isinstance(code, int) and code else 1), ""
            event = line.get("aux")
            if not isinstance(event, dict):
                self._progress.pulling(line)
            elif "ID" in event:
                image = str(event["ID"])
            elif "Keys" in event:
                keys = event["Keys"]
                self.caches.append((str(event.get("Text")), list(map(str, keys)) if isinstance(keys, list) else []))
            else:
                self._progress.take(event)
        return 0, image

    def _told(self, message: str, line: int) -> None:
        """The last words of the step that failed, its place in the Dockerfile, and why."""
        self._progress.close()
        row = self._progress.failed
        if row is not None:
            self._screen.error("\n".join(["------", f" > {row.title}:", *row.lines[-20:], "------"]))
        if line and self._context.text:
            self._screen.error("\n".join(_excerpt(self._context, line)))
        self._screen.error(f"ERROR: failed to build: {message}")


def _excerpt(context: Context, line: int) -> list[str]:
    lines = context.text.decode(errors="replace").split("\n")
    shown = [
        f"{number:4} | {'>>>' if number == line else '   '} {lines[number - 1]}".rstrip()
        for number in range(max(1, line - _AROUND), min(len(lines), line + _AROUND) + 1)
    ]
    return [f"{context.shown}:{line}", "--------------------", *shown, "--------------------"]


def _line_in(message: str) -> int:
    """The line that a parse error names."""
    head, found, tail = message.partition("dockerfile parse error on line ")
    number = tail.partition(":")[0]
    return int(number) if found and not head and number.isdecimal() else 0


def _progress_of(given: Given, screen: Screen) -> Progress:
    from havre.cli.build_progress import Moving, Plain, Silent

    kind = os.environ.get("BUILDKIT_PROGRESS", "auto") if not given.changed("progress") else given.text("progress")
    if given.switch("quiet") or kind == "quiet":
        return Silent()
    if kind not in ("auto", "plain", "tty", "rawjson"):
        raise ClientError(f"unknown progress type {kind}")
    return Moving() if kind == "tty" or (kind == "auto" and screen.is_terminal(STDERR)) else Plain()


def _with_contexts(given: Given, context: Context) -> list[tuple[str, str]]:
    """Named contexts: images by their names, folders as further parts of the archive."""
    import json

    from havre.cli.build_sources import REMOTES, add_folder

    places = {}
    for number, value in enumerate(given.many("build-context")):
        name, equals, place = value.partition("=")
        if not equals or not name:
            raise ClientError(f"invalid context value: {value}, expected key=value")
        if place.startswith(("docker-image://", *REMOTES)):
            places[name.lower()] = place
        elif "://" in place:
            raise ClientError(f"named context {place}: only folders, addresses, git and docker-image:// are supported")
        else:
            places[name.lower()] = f"sent://{add_folder(context, place, number)}"
    return [("contexts", json.dumps(places))] if places else []


def _write_files(given: Given, image: str, names: list[str]) -> None:
    if path := given.text("iidfile"):
        _write(path, image)
    if path := given.text("metadata-file"):
        import json

        told = {"containerimage.config.digest": image, "image.name": ",".join(names)}
        _write(path, json.dumps(told, indent=2))


def _write(path: str, content: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        raise ClientError(f"{path}: {(error.strerror or str(error)).lower()}") from error


COMMAND = Command(
    summary="Build an image from a Dockerfile",
    usage="[OPTIONS] PATH | URL | -",
    flags=FLAGS,
    at_least=1,
    at_most=1,
    run=run,
)
