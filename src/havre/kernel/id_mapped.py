"""Id-mapped mounts: a user namespace that nobody lives in says which ids become which: mount_setattr(2)."""

import os
import sys

from havre.kernel.libc import KernelError
from havre.kernel.mounts import MountAttr, mount_setattr

_WHOLE = 2**32 - 1
# A process of its own, for unshare(CLONE_NEWUSER) is refused to one with threads: it tells that it is there, and waits.
_HOLDER = """
import ctypes, os
if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
    os.write(1, bytes([ctypes.get_errno() % 256]))
else:
    os.write(1, b"\\0")
    os.read(0, 1)
"""


def id_mapped(tree: int, user: "tuple[int, int]", group: "tuple[int, int]") -> int:
    """The detached mount *tree* with the first id of each pair shown as the second; it is closed when this raises.

    All other ids stay as they are, but that the second of a pair takes the first one's place. Raises KernelError.
    """
    try:
        namespace = _namespace(mapping(*user), mapping(*group))
        try:
            mount_setattr(tree, set_=int(MountAttr.IDMAP), userns_fd=namespace)
        finally:
            os.close(namespace)
    except BaseException:
        os.close(tree)
        raise
    return tree


def mapping(on_disk: int, inside: int) -> str:
    """The lines of a uid_map that exchange *on_disk* with *inside* and keep all others: user_namespaces(7)."""
    if on_disk == inside:
        return f"0 0 {_WHOLE}\n"
    low, high = sorted((on_disk, inside))
    lines = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    lines.append((high + 1, high + 1, _WHOLE - high - 1))
    return "".join(f"{first} {second} {count}\n" for first, second, count in lines if count > 0)


def _namespace(users: str, groups: str) -> int:
    """A handle on a fresh user namespace with these maps."""
    told, tell = os.pipe()
    wait, let_go = os.pipe()
    try:
        pid = _spawn(wait, tell)
    finally:
        os.close(tell)
        os.close(wait)
    try:
        answer = os.read(told, 1)
        if answer != b"\0":
            raise KernelError.of(answer[0] if answer else 0, "make a user namespace")
        _write(f"/proc/{pid}/uid_map", users)
        _write(f"/proc/{pid}/gid_map", groups)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError.of(error.errno or 0, "map ids in a user namespace") from error
    finally:
        os.close(let_go)
        os.close(told)
        os.waitpid(pid, 0)


def _spawn(wait: int, tell: int) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, wait, 0), (os.POSIX_SPAWN_DUP2, tell, 1)]
    return os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", _HOLDER], {}, file_actions=actions)


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
