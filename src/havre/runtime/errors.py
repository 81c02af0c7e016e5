"""What the runtime raises, in the words and with the exit codes that Docker's users know."""

import errno

from havre.base.errors import Conflict, HavreError, InvalidInput, NotFound, Unavailable

NOT_FOUND = 127
NOT_EXECUTABLE = 126
NOT_STARTED = 128


class StartFailed(HavreError):
    """The program was not started, and nothing of the attempt is left.

    *exit_code* is what the container's state shows: 127 not found, 126 not executable, else 128. With
    *before_runtime* the message is about the request and not about the runtime's work.
    """

    def __init__(self, message: str, exit_code: int = NOT_STARTED, *, before_runtime: bool = False) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.before_runtime = before_runtime


class NoSuchProcess(NotFound):
    """The container or exec session that a request names has ended."""


class ShimGone(Conflict):
    """The process that holds the container ended without a word."""


class LauncherGone(Unavailable):
    """The process that starts containers ended and could not be started again."""


class BadUser(InvalidInput):
    """A user or group is not known in the image, or not a number that the kernel takes."""


class NotNow(Conflict):
    """The container's state does not allow what was asked for."""


class StepFailed(Exception):
    """A step of a birth failed: *text* in Docker's words; *exit_code* as in StartFailed."""

    def __init__(self, text: str, exit_code: int = NOT_STARTED, *, before_runtime: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code
        self.before_runtime = before_runtime


_EXIT_CODES = {
    errno.ENOENT: NOT_FOUND,
    errno.EACCES: NOT_EXECUTABLE,
    errno.EPERM: NOT_EXECUTABLE,
    errno.EISDIR: NOT_EXECUTABLE,
    errno.ENOTDIR: NOT_EXECUTABLE,
}


def exit_code_of(number: int) -> int:
    """The exit code that stands for not having started because of error *number*."""
    return _EXIT_CODES.get(number, NOT_STARTED)


def strerror(number: int) -> str:
    """The text of error *number* as Go writes it: lower case."""
    return _STRERROR.get(number) or f"errno {number}"


_STRERROR = {
    errno.EPERM: "operation not permitted",
    errno.ENOENT: "no such file or directory",
    errno.ESRCH: "no such process",
    errno.EIO: "input/output error",
    errno.ENOEXEC: "exec format error",
    errno.E2BIG: "argument list too long",
    errno.EAGAIN: "resource temporarily unavailable",
    errno.ENOMEM: "cannot allocate memory",
    errno.EACCES: "permission denied",
    errno.EBUSY: "device or resource busy",
    errno.EEXIST: "file exists",
    errno.EXDEV: "invalid cross-device link",
    errno.ENODEV: "no such device",
    errno.ENOTDIR: "not a directory",
    errno.EISDIR: "is a directory",
    errno.EINVAL: "invalid argument",
    errno.EMFILE: "too many open files",
    errno.ETXTBSY: "text file busy",
    errno.EFBIG: "file too large",
    errno.ENOSPC: "no space left on device",
    errno.EROFS: "read-only file system",
    errno.ENAMETOOLONG: "file name too long",
    errno.ENOSYS: "function not implemented",
    errno.ELOOP: "too many levels of symbolic links",
    errno.ENOTSUP: "operation not supported",
    errno.EDQUOT: "disk quota exceeded",
    errno.ELIBBAD: "accessing a corrupted shared library",
}
