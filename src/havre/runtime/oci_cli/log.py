"""Where the command line says what went wrong, in the forms that conmon, Podman and containerd read."""

import os
import sys
import time
from typing import Literal

Level = Literal["error", "warning", "debug"]


class Log:
    """Lines for a file, or for the terminal when none is named.

    An error goes to standard error too, so that somebody who started the command by hand sees it.
    """

    def __init__(self, path: str = "", form: str = "text", *, debug: bool = False) -> None:
        self._path = path
        self._json = form == "json"
        self._debug = debug

    def say_error(self, message: str) -> None:
        """What ended the command."""
        self._write("error", message)
        if self._path:
            print(message, file=sys.stderr)  # noqa: T201  it is the command line's own word

    def say_warning(self, message: str) -> None:
        """What the user should know, though the command goes on."""
        self._write("warning", message)

    def say_debug(self, message: str) -> None:
        """What was done, when --debug asked for it."""
        if self._debug:
            self._write("debug", message)

    def _write(self, level: Level, message: str) -> None:
        import json

        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._json:
            line = json.dumps({"level": level, "msg": message, "time": now}).encode() + b"\n"
        else:
            line = f'time="{now}" level={level} msg={json.dumps(message)}\n'.encode()
        if not self._path:
            os.write(2, line)
            return
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            os.write(2, line)
            return
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
