"""What the program may do: limits, user, capabilities, no_new_privs, system call filter. In that order."""

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from havre.kernel import capabilities
from havre.kernel.libc import KernelError
from havre.kernel.process import (
    RLIM_INFINITY,
    RLIMITS,
    get_rlimit,
    join_session_keyring,
    set_keep_capabilities,
    set_key_permissions,
    set_no_new_privileges,
    set_rlimit,
)
from havre.kernel.seccomp import FLAGS, install
from havre.oci.runtime_spec import Capabilities, Process, Rlimit, Seccomp
from havre.runtime.errors import StepFailed
from havre.runtime.init.mounts import told
from havre.runtime.init.users import Identity

_KEY_SEARCHABLE = 0x3F3F0000 | 0x08000000


class Sets(NamedTuple):
    """The five sets of capabilities(7) as bits."""

    bounding: int
    effective: int
    permitted: int
    inheritable: int
    ambient: int


def plan_sets(wanted: Capabilities | None, held: int) -> Sets:
    """*wanted* as far as this process holds it: what is not held cannot be given. Unknown names are passed over."""
    wanted = wanted or Capabilities()
    bounding, permitted = _mask(wanted.bounding) & held, _mask(wanted.permitted) & held
    inheritable = _mask(wanted.inheritable) & held
    return Sets(
        bounding,
        _mask(wanted.effective) & permitted,
        permitted,
        inheritable,
        _mask(wanted.ambient) & permitted & inheritable,
    )


def seccomp_flags(seccomp: Seccomp | None) -> int:
    """The flags of seccomp(2) that the spec names. Raises StepFailed for an unknown one."""
    flags = 0
    for name in (seccomp.flags if seccomp else None) or ():
        if name not in FLAGS:
            raise StepFailed(f"seccomp flag {name!r} is not known")
        flags |= FLAGS[name]
    return flags


def set_limits(rlimits: "list[Rlimit] | None") -> None:
    """setrlimit(2) for each. StepFailed names the limit that this host does not let us raise."""
    for limit in rlimits or ():
        if limit.type not in RLIMITS:
            raise StepFailed(f"invalid rlimit type: {limit.type}")
        if limit.soft > limit.hard:
            raise StepFailed(f"rlimit {limit.type}: the soft limit {limit.soft} is above the hard limit {limit.hard}")
        try:
            set_rlimit(limit.type, limit.soft, limit.hard)
        except KernelError as error:
            if error.errno != errno.EPERM:
                raise
            _, hard = get_rlimit(limit.type)
            shown = "unlimited" if hard == RLIM_INFINITY else hard
            raise StepFailed(
                f"error setting rlimit type {RLIMITS[limit.type]} ({limit.type}) to {limit.hard}: operation not "
                f"permitted: this host's hard limit is {shown}, and raising it takes CAP_SYS_RESOURCE"
            ) from error


def new_keyring(name: str) -> None:
    """A session keyring of the container's own, searchable by its possessor; none where the kernel has no keys."""
    try:
        key = join_session_keyring(f"_ses.{name}")
        set_key_permissions(key, _KEY_SEARCHABLE)
    except KernelError as error:
        if error.errno not in {errno.ENOSYS, errno.EPERM, errno.EDQUOT, errno.EACCES}:
            raise


def give_stdio(uid: int) -> None:
    """Give pipes and terminals, never devices or files, to the user, so that /dev/stdout can be opened again."""
    if uid == 0:
        return
    for fd in (0, 1, 2):
        status = os.fstat(fd)
        if status.st_uid != uid and (stat.S_ISFIFO(status.st_mode) or os.isatty(fd)):
            os.fchown(fd, uid, -1)


class Privileges:
    """Drops what the program must not have. Made before, used after the root was changed."""

    def __init__(self, process: Process, identity: Identity, program: bytes, flags: int) -> None:
        _, held, _ = capabilities.current()
        self._sets = plan_sets(process.capabilities, held)
        self._identity = identity
        self._no_new_privileges = process.no_new_privileges
        self._program = program
        self._flags = flags

    def filter_early(self) -> None:
        """Without no_new_privs the filter takes CAP_SYS_ADMIN: it goes in before the capabilities go."""
        if self._program and not self._no_new_privileges:
            install(self._program, self._flags)

    def drop(self) -> None:
        """Become the user with exactly the capabilities of the spec. capabilities(7), "Effect of user ID changes"."""
        sets, identity = self._sets, self._identity
        capabilities.limit_bounding(sets.bounding)
        set_keep_capabilities(True)
        os.setgroups(identity.groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
        set_keep_capabilities(False)
        capabilities.set_current(sets.effective, sets.permitted, sets.inheritable)
        capabilities.set_ambient(sets.ambient)
        if self._no_new_privileges:
            set_no_new_privileges()

    @property
    def filters_late(self) -> bool:
        """Whether the filter is to be the last thing before execve(2)."""
        return bool(self._program) and self._no_new_privileges

    def filter_late(self) -> None:
        """With no_new_privs the filter is the last thing, so that it need not allow any of the above."""
        if self._program and self._no_new_privileges:
            install(self._program, self._flags)


def set_oom_score(write: Callable[[str, bytes], None], value: int) -> None:
    """Without CAP_SYS_RESOURCE a score below the own one is refused: then it stays as it is."""
    try:
        write("oom_score_adj", b"%d" % value)
    except KernelError as error:
        if value > 0 or error.errno not in {errno.EACCES, errno.EPERM}:
            raise StepFailed(f"error setting oom_score_adj to {value}: {told(error)}") from error


def _mask(names: "list[str] | None") -> int:
    return capabilities.mask_of(name for name in names or () if name in capabilities.NUMBERS)
