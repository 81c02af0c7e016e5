"""An initial ramdisk in cpio's `newc` form: busybox, the modules that a Debian kernel needs, and one script."""

from __future__ import annotations

import re
import stat
from pathlib import Path

MODULES = (
    *("crc32c_generic", "virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_blk", "ext4", "loop", "erofs"),
    *("veth", "bridge", "br_netfilter", "nf_tables", "nft_chain_nat", "nft_masq", "nft_ct", "nft_nat", "nft_redir"),
    *("nft_fib_inet", "nft_reject_inet", "macvlan", "dummy", "bfq", "sctp"),
)

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /lower /up /new
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules); do /bin/busybox insmod /m/$module.ko; done
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /lower
/bin/busybox mount -t tmpfs -o size=1g tmp /up
/bin/busybox mkdir /up/u /up/w
/bin/busybox mount -t overlay -o lowerdir=/lower,upperdir=/up/u,workdir=/up/w overlay /new
for folder in proc sys dev; do /bin/busybox mount --move /$folder /new/$folder; done
/bin/busybox mount -t ext4 -o noatime /new/dev/vda /new/tmp
/bin/busybox mount -t tmpfs run /new/run
/bin/busybox mkdir -p /new/dev/pts /new/dev/shm /new/tmp/out
/bin/busybox mount -t devpts -o gid=5,mode=620,ptmxmode=666 pts /new/dev/pts
/bin/busybox mount -t tmpfs shm /new/dev/shm
/bin/busybox mount -t cgroup2 cgroup /new/sys/fs/cgroup
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /new/tmp/out
exec /bin/busybox switch_root /new /bin/bash /tmp/out/run.sh
"""


def build(kernel: Path, target: Path) -> None:
    """Write the ramdisk for the unpacked Debian package at *kernel*."""
    (modules,) = (kernel / "lib/modules").iterdir()
    files = {path.stem.replace("-", "_"): path for path in modules.rglob("*.ko")}
    order: list[str] = []
    for name in MODULES:
        _add(name, files, order)
    archive = _Archive()
    for folder in ("bin", "m"):
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("bin/busybox", stat.S_IFREG | 0o755, Path("/bin/busybox").read_bytes())
    archive.add("init", stat.S_IFREG | 0o755, INIT.encode())
    archive.add("modules", stat.S_IFREG | 0o644, "\n".join(order).encode())
    for name in order:
        archive.add(f"m/{name}.ko", stat.S_IFREG | 0o644, files[name].read_bytes())
    archive.add("TRAILER!!!", 0)
    target.write_bytes(archive.data)


def _add(name: str, files: dict[str, Path], order: list[str]) -> None:
    if name in order or name not in files:
        return
    told = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
    for needed in (told.group(1).decode() if told else "").split(","):
        _add(needed.replace("-", "_"), files, order)
    order.append(name)


class _Archive:
    def __init__(self) -> None:
        self.data = b""
        self._number = 0

    def add(self, name: str, mode: int, content: bytes = b"") -> None:
        self._number += 1
        raw = name.encode() + b"\0"
        fields = (self._number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0)
        head = ("070701" + "".join(f"{field:08X}" for field in fields)).encode() + raw
        self.data += _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
