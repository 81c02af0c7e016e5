"""capabilities(7): names and numbers, and the five sets of the calling thread. A set is an integer of bits."""

import ctypes
from collections.abc import Iterable

from havre.kernel.libc import KernelError, libc

NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
NUMBERS = {name: number for number, name in enumerate(NAMES)}

_VERSION_3 = 0x20080522
_CAPBSET_READ, _CAPBSET_DROP, _CAP_AMBIENT = 23, 24, 47
_AMBIENT_IS_SET, _AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 1, 2, 4
_WORD = 0xFFFFFFFF

_Sets = ctypes.c_uint32 * 6
_prctl = libc.prctl
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_capget, _capset = libc.capget, libc.capset
_capget.argtypes = _capset.argtypes = (ctypes.c_void_p, ctypes.c_void_p)


def mask_of(names: Iterable[str]) -> int:
    """The set holding *names* (`CAP_CHOWN`). Raises KeyError for a name that no kernel has."""
    mask = 0
    for name in names:
        mask |= 1 << NUMBERS[name]
    return mask


def names_of(mask: int) -> list[str]:
    """The names of the capabilities in *mask*, by number; what has no name here is left out."""
    return [name for number, name in enumerate(NAMES) if mask >> number & 1]


def last_cap() -> int:
    """The highest capability that the running kernel knows."""
    number = len(NAMES)
    while number < 63 and _prctl(_CAPBSET_READ, number, 0, 0, 0) >= 0:
        number += 1
    while number and _prctl(_CAPBSET_READ, number - 1, 0, 0, 0) < 0:
        number -= 1
    return number - 1


def known() -> int:
    """The set of all capabilities of the running kernel."""
    return (2 << last_cap()) - 1


def current() -> tuple[int, int, int]:
    """(effective, permitted, inheritable) of this thread: capget(2)."""
    words = _Sets()
    if _capget(ctypes.byref((ctypes.c_uint32 * 2)(_VERSION_3, 0)), words) != 0:
        raise KernelError.last("capget")
    return words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32


def bounding() -> int:
    """The bounding set of this thread."""
    return sum(1 << number for number in range(last_cap() + 1) if _prctl(_CAPBSET_READ, number, 0, 0, 0) == 1)


def ambient() -> int:
    """The ambient set of this thread."""
    present = (number for number in range(last_cap() + 1) if _prctl(_CAP_AMBIENT, _AMBIENT_IS_SET, number, 0, 0) == 1)
    return sum(1 << number for number in present)


def set_current(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2)."""
    low, high = _WORD, 32
    words = _Sets(
        effective & low,
        permitted & low,
        inheritable & low,
        effective >> high,
        permitted >> high,
        inheritable >> high,
    )
    if _capset(ctypes.byref((ctypes.c_uint32 * 2)(_VERSION_3, 0)), words) != 0:
        raise KernelError.last(f"capset effective {effective:x} permitted {permitted:x} inheritable {inheritable:x}")


def limit_bounding(keep: int) -> None:
    """Drop everything outside *keep* from the bounding set; needs CAP_SETPCAP."""
    for number in range(last_cap() + 1):
        if keep >> number & 1 or _prctl(_CAPBSET_DROP, number, 0, 0, 0) == 0:
            continue
        error = KernelError.last(f"drop capability {number} from the bounding set")
        if _prctl(_CAPBSET_READ, number, 0, 0, 0) == 1:  # what was never there need not go
            raise error


def set_ambient(mask: int) -> None:
    """Make the ambient set exactly *mask*, which must be permitted and inheritable."""
    if _prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0) != 0:
        raise KernelError.last("clear the ambient set")
    for number in range(mask.bit_length()):
        if mask >> number & 1 and _prctl(_CAP_AMBIENT, _AMBIENT_RAISE, number, 0, 0) != 0:
            raise KernelError.last(f"raise ambient capability {number}")
