"""Containers for Python programs: made, run, asked and removed by calls that block until the thing is done."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Unpack

from havre.client.client import Client
from havre.client.errors import ApiError, ClientError
from havre.client.images import Images
from havre.client.options import Options, request_of
from havre.client.output import Output, gather, split_frames
from havre.wire.containers import ContainerInspect, ContainerSummary, CreateResponse, WaitResponse
from havre.wire.exec import ExecInspect

_PIECE = 1 << 16
_STREAMS: dict[str, str | int | None] = {"stream": 1, "stdout": 1, "stderr": 1}


class ContainerFailed(ClientError):
    """A command that was waited for ended with another code than zero; *output* has all it said."""

    def __init__(self, command: str, output: Output) -> None:
        told = output.stderr.decode(errors="replace").strip()
        super().__init__(f"{command} ended with exit code {output.exit_code}{f': {told}' if told else ''}")
        self.output = output


@dataclass(frozen=True, slots=True)
class Container:
    """One container, by its id. What it is now is asked each time: nothing is remembered here."""

    client: Client
    id: str

    def inspect(self) -> ContainerInspect:
        """Everything the daemon knows of it."""
        return self.client.get(f"/containers/{self.id}/json", ContainerInspect)

    @property
    def name(self) -> str:
        """Its name, without the slash."""
        return (self.inspect().get("Name") or "").removeprefix("/")

    @property
    def status(self) -> str:
        """`created`, `running`, `paused`, `restarting`, `exited` or `dead`."""
        return (self.inspect().get("State") or {}).get("Status") or ""

    def start(self) -> None:
        """Start it; one that runs is no error."""
        self._act("start")

    def stop(self, timeout_s: int | None = None) -> None:
        """Ask it to end, and end it after *timeout_s*; one that has ended is no error."""
        self._act("stop", t=timeout_s)

    def restart(self, timeout_s: int | None = None) -> None:
        """Stop it and start it again."""
        self._act("restart", t=timeout_s)

    def kill(self, signal: str = "KILL") -> None:
        """Send it a signal. Raises ApiError (409) if it does not run."""
        self._act("kill", signal=signal)

    def pause(self) -> None:
        """Freeze every process of it."""
        self._act("pause")

    def unpause(self) -> None:
        """Let it go on."""
        self._act("unpause")

    def rename(self, name: str) -> None:
        """Give it another name. Raises ApiError (409) if that one is taken."""
        self._act("rename", name=name)

    def wait(self) -> int:
        """Wait until it does not run, and give its exit code."""
        ended = self.client.post(f"/containers/{self.id}/wait", WaitResponse)
        return ended.get("StatusCode") or 0

    def remove(self, *, force: bool = False, volumes: bool = False) -> None:
        """Remove it; *force* a running one, too; with its anonymous *volumes*."""
        self.client.act("DELETE", f"/containers/{self.id}", {"force": force, "v": volumes})

    def logs(self, *, tail: int | None = None) -> Output:
        """What it said until now, or the last *tail* lines of it."""
        framed = not (self.inspect().get("Config") or {}).get("Tty")
        query = {"stdout": 1, "stderr": 1, "tail": tail}
        answer = self.client.send("GET", f"/containers/{self.id}/logs", query)
        return Output(0, *gather(answer.chunks(), framed=framed))

    def follow(self) -> Generator[bytes]:
        """What it says from its beginning on, both streams as they come, until it ends."""
        framed = not (self.inspect().get("Config") or {}).get("Tty")
        side = self.client.another()
        try:
            answer = side.send("GET", f"/containers/{self.id}/logs", {"stdout": 1, "stderr": 1, "follow": 1})
            pieces = answer.chunks()
            yield from (payload for _, payload in split_frames(pieces)) if framed else pieces
        finally:
            side.close()

    def exec(self, command: Sequence[str], *, user: str = "", working_dir: str = "") -> Output:
        """Run *command* inside and wait for its end, whatever its exit code."""
        wanted = {
            "Cmd": list(command),
            "AttachStdout": True,
            "AttachStderr": True,
            "User": user,
            "WorkingDir": working_dir,
        }
        made = self.client.post(f"/containers/{self.id}/exec", CreateResponse, None, wanted)
        exec_id = made.get("Id")
        started = {"Detach": False, "Tty": False}
        with _taken_over(self.client, f"/exec/{exec_id}/start", body=started) as pieces:
            said = gather(pieces, framed=True)
        return Output(self.client.get(f"/exec/{exec_id}/json", ExecInspect).get("ExitCode") or 0, *said)

    def _act(self, verb: str, **query: str | int | None) -> None:
        self.client.act("POST", f"/containers/{self.id}/{verb}", query)


class Containers:
    """The containers of one daemon."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, *, everything: bool = False) -> Sequence[Container]:
        """Those that run, or *everything*, the newest first."""
        rows = self._client.get("/containers/json", Sequence[ContainerSummary], {"all": everything})  # type: ignore[type-abstract]  # a hint
        return [Container(self._client, row.get("Id") or "") for row in rows]

    def get(self, ref: str) -> Container:
        """The container with this name or beginning of an id. Raises ApiError (404)."""
        found = self._client.get(f"/containers/{ref}/json", ContainerInspect)
        return Container(self._client, found.get("Id") or "")

    def create(self, image: str, command: Sequence[str] = (), **options: Unpack[Options]) -> Container:
        """Make a container that does not run yet; an image that is not here is pulled."""
        body = request_of(image, command, options)
        query = {"name": options.get("name")}
        try:
            made = self._client.post("/containers/create", CreateResponse, query, body)
        except ApiError as error:
            if error.status != 404 or "o such image" not in str(error):
                raise
            Images(self._client).pull(image)
            made = self._client.post("/containers/create", CreateResponse, query, body)
        return Container(self._client, made.get("Id") or "")

    def start(self, image: str, command: Sequence[str] = (), **options: Unpack[Options]) -> Container:
        """Make and start a container, and go on while it runs. One that does not start is removed again."""
        made = self.create(image, command, **options)
        try:
            made.start()
        except BaseException:
            made.remove(force=True)
            raise
        return made

    def run(self, image: str, command: Sequence[str] = (), **options: Unpack[Options]) -> Output:
        """Run *command* in a container of its own, wait for its end and remove it with its anonymous volumes.

        Raises ContainerFailed for an exit code other than zero, ApiError for what cannot be started.
        """
        made = self.create(image, command, **options)
        try:
            with _taken_over(self._client, f"/containers/{made.id}/attach", _STREAMS) as pieces:
                made.start()
                said = gather(pieces, framed=not options.get("tty"))
            output = Output(made.wait(), *said)
        finally:
            made.remove(force=True, volumes=True)
        if output.exit_code:
            raise ContainerFailed(" ".join(command) or image, output)
        return output


@contextmanager
def _taken_over(
    client: Client, path: str, query: dict[str, str | int | None] | None = None, body: object = None
) -> Iterator[Iterator[bytes]]:
    """The pieces of a stream that is taken over now, and closed at the end."""
    stream, ahead, _ = client.hijack(path, query, body)
    with stream:
        yield chain([ahead] if ahead else [], iter(lambda: stream.recv(_PIECE), b""))
