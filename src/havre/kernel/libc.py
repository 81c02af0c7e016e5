"""The C library through ctypes, raw system calls, and the error that carries the sentence of what was tried."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)

StrPath = str | bytes | os.PathLike[str]

_MACHINE = os.uname().machine
_ARGUMENTS = 6
_NO_ARGUMENTS = (0,) * _ARGUMENTS

_syscall = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long, *(ctypes.c_void_p,) * _ARGUMENTS, use_errno=True)(
    ("syscall", libc)
)


class KernelError(OSError):
    """A system call that failed: `errno` is the kernel's, the text tells what was tried with which values."""

    def __str__(self) -> str:
        return str(self.strerror)

    @classmethod
    def of(cls, number: int, tried: str) -> "KernelError":
        """The error *number* met while doing what *tried* says."""
        return cls(number, f"{tried}: {os.strerror(number)}")

    @classmethod
    def last(cls, tried: str) -> "KernelError":
        """The error that the last foreign call of this thread left behind."""
        return cls.of(ctypes.get_errno(), tried)


def by_machine(*, x86_64: int, aarch64: int) -> int:
    """The number of a system call older than the common table (424 and up are equal on both machines)."""
    return aarch64 if _MACHINE == "aarch64" else x86_64


def syscall(number: int, *args: object, tried: str = "") -> int:
    """Make a system call with integers, bytes, None, arrays or `byref` values. KernelError begins with *tried*."""
    result: int = _syscall(number, *args, *_NO_ARGUMENTS[len(args) :])
    if result == -1:
        raise KernelError.last(tried or f"system call {number}")
    return result


def path_bytes(path: StrPath) -> bytes:
    """*path* as the kernel takes it. Raises KernelError for a NUL inside: C would silently stop there."""
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise KernelError.of(errno.EINVAL, f"path with a NUL: {raw[:64]!r}")
    return raw


def shown(value: StrPath) -> str:
    """*value* for an error message: text, and nothing that a terminal would obey."""
    text = os.fsdecode(value)
    return text if text.isprintable() else repr(text)


def flag_names(holder: type, flags: int) -> str:
    """*flags* in words, by the numbers that the class *holder* names: `BIND|REC`; `0` for none."""
    names = [
        name for name, value in vars(holder).items() if isinstance(value, int) and value and flags & value == value
    ]
    return "|".join(names) or hex(flags) if flags else "0"
