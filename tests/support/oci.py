"""Bundles with busybox, and an OCI runtime by its command line: ours, or another one to try the tests on."""

from __future__ import annotations

import array
import json
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "src"
PATH = "PATH=/bin:/usr/bin"


def wrapper(folder: Path) -> Path:
    """A program `havre-runtime` that runs the sources at hand, for those who start runtimes by their path."""
    path = folder / "havre-runtime"
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {sys.executable} -m havre.runtime.command "$@"\n', encoding="utf-8"
    )
    path.chmod(0o755)
    return path


@dataclass(frozen=True)
class Runtime:
    """An OCI runtime; its answers are (exit status, standard output, standard error)."""

    command: tuple[str, ...]

    def __call__(self, *words: str, stdin: str = "", timeout: float = 60) -> tuple[int, str, str]:
        done = subprocess.run(
            [*self.command, *words], check=False, capture_output=True, text=True, input=stdin, timeout=timeout
        )
        return done.returncode, done.stdout, done.stderr

    def ok(self, *words: str) -> str:
        """The output of a command that must succeed."""
        code, out, err = self(*words)
        assert code == 0, (words, code, out, err)
        return out

    def create(self, container: str, bundle: Path, *words: str, output: Path) -> None:
        """`create`, its streams in the file *output*: the container holds them, so a pipe would keep us waiting."""
        with output.open("ab") as sink:
            done = subprocess.run(
                [*self.command, "create", "--bundle", str(bundle), *words, container],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                timeout=60,
            )
        assert done.returncode == 0, (container, output.read_text())

    def state(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ok("state", container))
        return found


def spec(group: str, rootfs: Path) -> dict[str, Any]:
    """A plain container on *rootfs*, in cgroup *group*; tests change what they are about."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["sleep", "1000"],
            "env": [PATH],
            "cwd": "/",
            "capabilities": {
                kind: ["CAP_KILL", "CAP_MKNOD", "CAP_SETUID", "CAP_SETGID"]
                for kind in ("bounding", "effective", "permitted")
            },
        },
        "root": {"path": str(rootfs)},
        "hostname": "inside",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
            },
        ],
        "linux": {
            "cgroupsPath": group,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": ["/proc/kcore", "/proc/keys"],
            "readonlyPaths": ["/proc/sys"],
        },
    }


def write_spec(bundle: Path, config: dict[str, Any]) -> None:
    """Make *config* the bundle's."""
    (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")


def receive_descriptor(listener: socket.socket) -> tuple[int, bytes]:
    """The descriptor that somebody sends to *listener*, and the words with it."""
    listener.settimeout(30)
    connection, _ = listener.accept()
    with connection:
        data, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    fds.frombytes(ancillary[0][2])
    return fds[0], data


def read_until(fd: int, word: bytes) -> bytes:
    """What comes from *fd* until *word* is in it, the end, or half a minute."""
    found = b""
    while word not in found and select.select([fd], [], [], 30)[0]:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        found += piece
    return found
