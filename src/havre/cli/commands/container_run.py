"""`havre run`: make a container, start it, and hold its streams until it ends."""

from __future__ import annotations

from havre.cli.attached_run import check_tty, container_resizer, forwarded_signals, hold
from havre.cli.command import Command
from havre.cli.commands.container_create import create, wished_streams
from havre.cli.create_flags import CREATE_FLAGS
from havre.cli.flags import Given, switch, text
from havre.cli.screen import Screen
from havre.cli.streams import Attached, Detached
from havre.cli.terminal import DEFAULT_DETACH_KEYS, parse_detach_keys
from havre.client.client import Client
from havre.client.connection import Response
from havre.client.errors import ApiError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from havre.cli.explain import Explanation


def run(given: Given, client: Client, screen: Screen) -> int:
    """The container's exit code; 125 when it was not made, 126 or 127 when its command did not start.

    1 when a combination of flags is refused before anything is tried.
    """
    detach = given.switch("detach")
    attach = wished_streams(given, default=frozenset() if detach else frozenset({"stdout", "stderr"}))
    if detach and given.many("attach"):
        screen.error("conflicting options: cannot specify both --attach and --detach")
        return 1
    try:
        check_tty(stdin="stdin" in attach, tty=given.switch("tty"))
    except ClientError as impossible:
        screen.error(str(impossible))
        return 1
    keys = parse_detach_keys(given.text("detach-keys"))
    explanation = _explanation(given)
    container = create(given, client, screen, attach=attach)
    run_it = _Run(given, client, container, attach, explanation)
    try:
        code = run_it.detached(screen) if detach else run_it.attached(keys)
        if explanation is not None:
            explanation.show(screen, as_json=given.text("explain-format") == "json")
        return code
    except ApiError as error:
        shown = f"{screen.program} run"
        screen.error(
            f"{screen.program}: Error response from daemon: {error}\n\nRun '{shown} --help' for more information"
        )
        return start_failure_code(str(error))


def _explanation(given: Given) -> Explanation | None:
    if not given.switch("explain"):
        return None
    from havre.cli.explain import Explanation

    return Explanation()


def _form(value: str) -> None:
    if value not in {"table", "json"}:
        raise ValueError("table and json are known")


def start_failure_code(message: str) -> int:
    """Docker's exit code for a command that did not start, read from the daemon's message."""
    if any(
        text in message for text in ("executable file not found", "no such file or directory", "system cannot find")
    ):
        return 127
    if any(text in message for text in ("permission denied", "is a directory", "exec format error")):
        return 126
    return 125


class _Run:
    def __init__(
        self,
        given: Given,
        client: Client,
        container: str,
        attach: frozenset[str],
        explanation: Explanation | None,
    ) -> None:
        self._client, self._container, self._attach = client, container, attach
        self._explanation = explanation
        if explanation is not None:
            explanation.phase("create")
        self._tty = given.switch("tty")
        self._sig_proxy = given.switch("sig-proxy")
        self._detach_keys = given.text("detach-keys")
        self._removed = given.switch("rm")

    def detached(self, screen: Screen) -> int:
        self._start(self._client)
        screen.line(self._container)
        return 0

    def _start(self, client: Client) -> None:
        if self._explanation is not None:
            self._explanation.start(client, self._container)
        else:
            client.act("POST", f"/containers/{self._container}/start")

    def attached(self, keys: bytes) -> int:
        """Attach and wait come before start: no byte and no exit can be missed."""
        query = {name: name in self._attach for name in ("stdin", "stdout", "stderr")}
        typed = self._detach_keys if self._detach_keys != DEFAULT_DETACH_KEYS else ""
        stream, ahead, _ = self._client.hijack(
            f"/containers/{self._container}/attach", {"stream": True, **query, "detachKeys": typed}
        )
        condition = "removed" if self._removed else "next-exit"
        waiting = self._client.send("POST", f"/containers/{self._container}/wait", {"condition": condition})
        side = self._client.another()
        with forwarded_signals(self._client, self._container, wanted=self._sig_proxy):
            if self._explanation is not None:
                self._explanation.phase("attach and wait")
            self._start(side)
            attached = Attached(stream, ahead, raw=self._tty)
            try:
                hold(
                    attached,
                    container_resizer(self._client, self._container),
                    tty=self._tty,
                    stdin="stdin" in self._attach,
                    keys=keys if self._tty else b"",
                )
            except Detached:
                return 0
            return exit_code(waiting)


def exit_code(waiting: Response) -> int:
    """The code that a wait answers."""
    import json

    answer = json.loads(waiting.read())
    failure = (answer.get("Error") or {}).get("Message")
    if failure:
        raise ClientError(str(failure))
    return int(answer["StatusCode"])


COMMAND = Command(
    summary="Create and run a new container from an image",
    usage="[OPTIONS] IMAGE [COMMAND] [ARG...]",
    flags=(
        *CREATE_FLAGS,
        switch("detach", "Run container in background and print container ID", short="d"),
        text("detach-keys", "Override the key sequence for detaching a container", default=DEFAULT_DETACH_KEYS),
        switch("explain", "Show each step of the start with its time"),
        text("explain-format", "How --explain shows it: table or json", default="table", check=_form),
        switch("sig-proxy", "Proxy received signals to the process", default=True),
    ),
    at_least=1,
    interspersed=False,
    run=run,
)
