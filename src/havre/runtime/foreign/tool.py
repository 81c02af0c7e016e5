"""The program of a foreign OCI runtime, run for one verb at a time, and what it says when that fails."""

import contextlib
import os
import signal
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from havre.kernel.process import set_parent_death_signal
from havre.runtime.defaults import PATH
from havre.runtime.errors import NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, StepFailed, strerror

_LOG = "log.json"
_STATE = "state"
_LAST_BYTES = 16384
_CANNOT_RUN = 127
_NO_CGROUPS = "--cgroup-manager=disabled"
_ABSENT = ("executable file not found", "no such file or directory", "not found in $path")
_NO_PROGRAM = ("permission denied", "is a directory", "exec format error")


class _Line(msgspec.Struct):
    level: str = ""
    msg: str = ""


class Tool(NamedTuple):
    """*command* is the program with the arguments that daemon.json gives it; *folder* is the container's bundle.

    It runs in that folder and keeps its own state below it.
    """

    command: tuple[str, ...]
    folder: str

    @property
    def leaves_cgroups(self) -> bool:
        """Whether it was told to leave the container in the cgroup that it finds itself in."""
        return _NO_CGROUPS in self.command

    def run(self, verb: str, *words: str, stdio: "Sequence[int]" = ()) -> None:
        """Run one verb to its end, with *stdio* as its first three descriptors. Raises StepFailed in its words."""
        log = f"{self.folder}/{_LOG}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)  # noqa: PTH108  of this container's own folder
        own = ("--log", log, "--log-format", "json", "--root", f"{self.folder}/{_STATE}")
        line = [*self.command, *own, verb, *words]
        pid = os.fork()
        if pid == 0:
            _become(line, self.folder, stdio)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            raise _failure(self.command[0], verb, code, _last_words(log))


def _become(line: "list[str]", folder: str, stdio: "Sequence[int]") -> None:
    try:
        set_parent_death_signal(signal.SIGKILL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.chdir(folder)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        for number, fd in enumerate(stdio or (null, null, null)):
            os.dup2(fd, number, inheritable=True)
        os.execvpe(line[0], line, {"PATH": PATH})
    except OSError:
        pass
    finally:
        os._exit(_CANNOT_RUN)


def _last_words(path: str) -> str:
    """The message of the last error in the log, else nothing."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  of this container's own folder
            text = file.read(_LAST_BYTES)
    except OSError:
        return ""
    words = ""
    for raw in text.splitlines():
        with contextlib.suppress(msgspec.MsgspecError):
            line = msgspec.json.decode(raw, type=_Line)
            if line.level == "error":
                words = line.msg
    return words


def _failure(program: str, verb: str, code: int, words: str) -> StepFailed:
    if not words and code == _CANNOT_RUN:
        return StepFailed(f"cannot run the runtime {program}: {strerror(2)}, or it is no program")
    return StepFailed(words or f"{program} {verb} ended with exit code {code} and without a word", exit_code_for(words))


def exit_code_for(words: str) -> int:
    """What a container's state shows for a runtime's error: the words are all there is to tell by, as for Docker."""
    lower = words.lower()
    if any(sign in lower for sign in _ABSENT):
        return NOT_FOUND
    return NOT_EXECUTABLE if any(sign in lower for sign in _NO_PROGRAM) else NOT_STARTED
