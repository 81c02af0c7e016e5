"""Bundles for tests of the runtime: a busybox tree, an overlay for each container, no network but an own empty one."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from havre.kernel.cgroups import open_cgroups
from havre.kernel.seccomp import compile_filter
from havre.oci.runtime_spec import (
    Capabilities,
    Linux,
    Mount,
    Namespace,
    Process,
    Resources,
    Root,
    Spec,
)
from havre.runtime import defaults
from havre.runtime.runtime import (
    AttachWishes,
    Bundle,
    ExecRequest,
    Exit,
    LogTarget,
    Runtime,
    Shim,
    Stdio,
)

APPLETS = [
    "sh",
    "ash",
    "cat",
    "chmod",
    "chown",
    "chroot",
    "cp",
    "cut",
    "dd",
    "echo",
    "env",
    "false",
    "find",
    "grep",
    "hostname",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mknod",
    "mount",
    "mv",
    "nc",
    "od",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "seq",
    "setsid",
    "sh",
    "sleep",
    "sort",
    "stat",
    "stty",
    "su",
    "tail",
    "test",
    "touch",
    "tr",
    "true",
    "tty",
    "umount",
    "uname",
    "unshare",
    "usleep",
    "wc",
    "yes",
    "sed",
    "head",
    "nsenter",
    "pivot_root",
    "swapon",
    "xargs",
]
CGROUP_TOP = "/havre-rt-test"
CAPABILITIES = list(defaults.CAPABILITIES)


@cache
def default_program() -> bytes:
    release = os.uname()
    profile = defaults.resolve(
        defaults.default_profile(), CAPABILITIES, release.machine, defaults.kernel_version(release.release)
    )
    return compile_filter(profile)


def busybox_tree(folder: Path) -> Path:
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "root", "home/ann"):
        (folder / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", folder / "bin/busybox")
    for name in set(APPLETS):
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nhuge:x:4294967296:0::/:/bin/sh\n"
        "12:x:7:7::/:/bin/sh\n"
    )
    (folder / "etc/group").write_text("root:x:0:\nann:x:1000:\nstaff:x:50:ann\nwheel:x:10:root\n")
    return folder


def capabilities(names: Sequence[str] = CAPABILITIES) -> Capabilities:
    return Capabilities(bounding=list(names), effective=list(names), permitted=list(names))


@dataclass
class Place:
    """Where the containers of one test live."""

    folder: Path
    image: Path
    runtime: Runtime
    cgroup: str
    made: list[str] = field(default_factory=list)

    def bundle(self, *args: str, **changes: object) -> Bundle:
        """A container that runs *args* with Docker's defaults. *changes* are fields of Bundle, Process or Linux."""
        name = f"c{len(self.made)}-{os.urandom(3).hex()}"
        self.made.append(name)
        own = self.folder / name
        for part in ("up", "work", "merged"):
            (own / part).mkdir(parents=True)
        process = Process(args=list(args), env=[f"PATH={defaults.PATH}"], capabilities=capabilities())
        linux = Linux(
            cgroups_path=f"{self.cgroup}/{name}",
            resources=Resources(devices=list(defaults.DEVICE_RULES)),
            namespaces=[Namespace(type=kind) for kind in ("mount", "pid", "network", "ipc", "uts", "cgroup")],
            masked_paths=list(defaults.masked_paths()),
            readonly_paths=list(defaults.READONLY_PATHS),
        )
        spec = Spec(
            oci_version="1.2.0",
            hostname="box",
            root=Root(path=str(own / "merged"), readonly=bool(changes.pop("readonly", False))),
            mounts=[*defaults.default_mounts(), *changes.pop("mounts", [])],  # type: ignore[misc]
        )
        layers = f"lowerdir={self.image},upperdir={own / 'up'},workdir={own / 'work'}"
        bundle = Bundle(
            id=name,
            spec=spec,
            run_dir=self.runtime.run_dir(name),
            rootfs_mounts=[Mount(destination="/", type="overlay", source="overlay", options=layers.split(","))],
            log=LogTarget(driver="json-file", path=str(own / "log")),
            seccomp_program=default_program(),
            user="0",
        )
        for key, value in changes.items():
            if key in Process.__struct_fields__ and key != "user":
                process = replace(process, **{key: value})
            elif key in Linux.__struct_fields__:
                linux = replace(linux, **{key: value})
            elif key in Spec.__struct_fields__:
                spec = replace(spec, **{key: value})
            else:
                bundle = replace(bundle, **{key: value})
        if bundle.stdio.terminal:
            process = replace(process, terminal=True)
        return replace(bundle, spec=replace(spec, process=process, linux=linux))

    async def launch(self, bundle: Bundle, wishes: AttachWishes | None = None) -> tuple[Shim, Client]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            shim = await self.runtime.launch(bundle, [(theirs, wishes or AttachWishes())])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return shim, Client(ours)

    async def run(self, *args: str, **changes: object) -> Outcome:
        """Run to the end; what was said and how it ended. Nothing is left behind."""
        bundle = self.bundle(*args, **changes)
        shim, client = await self.launch(bundle)
        try:
            output = await client.read_all()
            return Outcome(await shim.wait_exit(), output)
        finally:
            client.close()
            await self.runtime.remove(bundle.id)

    async def end(self, shim: Shim) -> Exit:
        if not shim.ended.done():
            await shim.signal(9)
        exit_ = await shim.wait_exit()
        await self.runtime.remove(shim.id)
        return exit_

    async def execute(self, shim: Shim, *args: str, **changes: object) -> Outcome:
        request = self.exec_request(*args, **changes)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        client = Client(ours)
        try:
            await shim.exec(request, (theirs, AttachWishes()))
            theirs.close()
            output = await client.read_all()
            code = await shim.wait_exec(request.id)
            return Outcome(Exit(code=code), output)
        finally:
            theirs.close()
            client.close()

    def exec_request(self, *args: str, **changes: object) -> ExecRequest:
        process = Process(args=list(args), env=[f"PATH={defaults.PATH}"], capabilities=capabilities())
        request = ExecRequest(id=os.urandom(4).hex(), process=process, user="0", seccomp_program=default_program())
        for key, value in changes.items():
            if key in Process.__struct_fields__ and key != "user":
                request = replace(request, process=replace(request.process, **{key: value}))
            else:
                request = replace(request, **{key: value})
        return request


@dataclass
class Outcome:
    exit: Exit
    output: str

    @property
    def code(self) -> int:
        return self.exit.code

    @property
    def words(self) -> list[str]:
        return self.output.split()


class Client:
    """The other end of an attachment."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    async def read(self, size: int = 65536) -> bytes:
        async with asyncio.timeout(20):
            return await asyncio.get_running_loop().sock_recv(self.socket, size)

    async def read_all(self) -> str:
        return (await self.read_bytes()).decode(errors="replace")

    async def read_bytes(self) -> bytes:
        parts = []
        while part := await self.read():
            parts.append(part)
        return b"".join(parts)

    async def read_until(self, text: bytes) -> bytes:
        found = b""
        while text not in found:
            part = await self.read()
            if not part:
                raise AssertionError(f"the stream ended before {text!r}: {found!r}")
            found += part
        return found

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()


def remove_cgroups(path: str) -> None:
    cgroups = open_cgroups()
    try:
        cgroups.kill(path)
        cgroups.remove(path)
    finally:
        cgroups.close()


__all__ = ["CGROUP_TOP", "Client", "Outcome", "Place", "Stdio", "busybox_tree", "capabilities", "remove_cgroups"]
