"""The user's program: found in the container's own PATH as Go's LookPath finds it, and executed."""

import errno
import os
import stat

from havre.kernel.process import mark_close_on_exec
from havre.runtime.errors import NOT_FOUND, StepFailed, exit_code_of, strerror

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Program:
    """Arguments and environment, turned into what execve(2) takes before the root is changed. StepFailed."""

    def __init__(self, args: "list[str] | None", env: "list[str] | None", home: str) -> None:
        if not args or not args[0]:
            raise StepFailed('exec: "": executable file not found in $PATH', NOT_FOUND)
        if any("\0" in word for word in (*args, *(env or ()))):
            raise StepFailed("an argument or environment variable holds a NUL")
        self.args = [word.encode() for word in args]
        self.env: dict[bytes, bytes] = {}
        for entry in env or ():
            key, equals, value = entry.partition("=")
            if key and equals:
                self.env[key.encode()] = value.encode()
        if not self.env.get(b"HOME"):
            self.env[b"HOME"] = home.encode()
        path = self.env.get(b"PATH", _DEFAULT_PATH.encode())
        name = self.args[0]
        self.candidates = [name]
        if b"/" not in name:
            self.candidates = [b"%s/%s" % (folder or b".", name) for folder in path.split(b":")]

    def find(self) -> bytes:
        """The file to execute, looked for as the final user. StepFailed in Go's words."""
        name = self.args[0].decode()
        if b"/" in self.args[0]:
            number = _why_not(self.args[0])
            if number in {errno.ENOENT, errno.ENOTDIR}:
                raise StepFailed(f'exec: "{name}": stat {name}: {strerror(number)}', NOT_FOUND)
            if number:
                raise StepFailed(f'exec: "{name}": {strerror(number)}', exit_code_of(number))
            return self.args[0]
        for candidate in self.candidates:
            if not _why_not(candidate):
                return candidate
        raise StepFailed(f'exec: "{name}": executable file not found in $PATH', NOT_FOUND)

    def spawn(self, path: bytes, kept: int = 0) -> int:
        """The pid of a child that runs *path* in a session of its own, with 0, 1, 2 and the *kept* that follow.

        Raises OSError where posix_spawn(3) fails: for want of a process, or as execve(2).
        """
        mark_close_on_exec(3 + kept)
        return os.posix_spawn(path, self.args, self.env, setsid=True)

    def execute(self, path: bytes) -> None:
        """execve(2); returns only by raising StepFailed."""
        try:
            os.execve(path, self.args, self.env)
        except OSError as error:
            number = error.errno or 0
            raise StepFailed(f"exec {path.decode()}: {strerror(number)}", exit_code_of(number)) from error


def _why_not(path: bytes) -> int:
    """The error that keeps *path* from being executed, or 0."""
    try:
        status = os.stat(path)  # noqa: PTH116  no pathlib in the launcher
    except OSError as error:
        return error.errno or errno.ENOENT
    if stat.S_ISDIR(status.st_mode):
        return errno.EISDIR
    return 0 if os.access(path, os.X_OK) else errno.EACCES
