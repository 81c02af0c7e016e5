"""The values that the runtime is handed and hands back: what to start, how to attach to it, how it ended."""

from typing import Literal, TypeAlias

import msgspec

from havre.oci.runtime_spec import Mount, Process, Spec

Driver: TypeAlias = Literal["json-file", "local", "syslog", "journald", "none"]
"""Where a container's output can go."""


class _Value(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    pass


class Stdio(_Value, frozen=True):
    """How a process reads and writes: a terminal, or three pipes.

    Without *stdin* it reads from /dev/null. With *stdin_once* its input ends when the first client that feeds it
    ends; else it stays open for the next client.
    """

    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False
    console_height: int = 0
    console_width: int = 0


class LogTarget(_Value, frozen=True):
    """Where what a container says is kept; 0 is no limit.

    For drivers that write elsewhere, *path* is that of the copy to read back, if any, and *options* are the driver's
    own. With *max_buffer_bytes* the container never waits for such a driver: what is over that is lost.
    """

    driver: Driver = "none"
    path: str = ""
    max_size_bytes: int = 0
    max_files: int = 0
    compress: bool = False
    max_age_s: int = 0
    min_free_bytes: int = 0
    attrs: dict[str, str] = {}
    tag: str = ""
    options: dict[str, str] = {}
    max_buffer_bytes: int = 0


class Bundle(_Value, frozen=True):
    """A container to start.

    *rootfs_mounts* are made inside the container's own mount namespace, the first on `spec.root.path`; without
    any, that folder is ready. *seccomp_program* is BPF made earlier; empty, `spec.linux.seccomp` is compiled.
    *user* (`name[:group]`, looked up in the image's own files) and *groups* stand in for `spec.process.user`;
    a home folder found so is put into an environment that has no HOME. *make_cwd* makes the working folder.
    *keep_fds* descriptors from 3 on are passed to the program; *keep_keyring* leaves it the caller's session keys;
    *on_ramdisk* is for a host whose root is the initial ramdisk, which pivot_root(2) refuses.
    *tool* is the command of a foreign OCI runtime that makes the container instead of us; that one is given
    `spec.linux.seccomp`. *explain* has every step of the birth told.
    """

    id: str
    spec: Spec
    run_dir: str
    rootfs_mounts: list[Mount] = []
    stdio: Stdio = Stdio()
    log: LogTarget = LogTarget()
    seccomp_program: bytes = b""
    user: str = ""
    groups: list[str] = []
    make_cwd: bool = False
    keep_fds: int = 0
    keep_keyring: bool = False
    on_ramdisk: bool = False
    tool: list[str] = []
    explain: bool = False


class ExecRequest(_Value, frozen=True):
    """A further process for a running container; *user*, *groups*, *seccomp_program*, *keep_fds* as in Bundle.

    *cgroup* is the path it joins; empty is the container's own. *bare* leaves the dropping of privileges to after
    the last fork, for filters that do not let one fork; the shim asks for it by itself.
    """

    id: str
    process: Process
    user: str = ""
    groups: list[str] = []
    stdio: Stdio = Stdio()
    seccomp_program: bytes = b""
    seccomp_flags: int = 0
    cgroup: str = ""
    make_cwd: bool = False
    keep_fds: int = 0
    bare: bool = False


class AttachWishes(_Value, frozen=True):
    """What a client wants of a process's streams.

    With *framed* each piece of output has the 8-byte header that tells stdout from stderr. *detach_keys*, typed
    by the client of a terminal, end the attachment. *early* is input that came before the streams were joined.
    """

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    framed: bool = False
    detach_keys: bytes = b""
    early: bytes = b""


class Exit(_Value, frozen=True):
    """How a process ended: its exit code, or 128 and the number of the signal that ended it.

    *error* tells why, when it did not end by itself or by a signal of a user.
    """

    code: int
    oom_killed: bool = False
    finished_ns: int = 0
    error: str = ""
