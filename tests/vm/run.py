"""Tests in a qemu guest with a stock Debian kernel and cgroup v2: `python -m tests.vm.run [PYTEST WORDS]`.

The guest sees this machine's files read-only, with a layer of its own on top and an ext4 disk at /tmp. The kernel is
Debian's own package, fetched by apt-get. Without KVM all is emulated: some ten times slower than on the host.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.vm.initrd import build

HERE = Path(__file__).parents[2]
CACHE = HERE / ".cache" / "vm"
DEFAULT = ("tests/root/runtime", "tests/root/engine", "tests/root/kernel", "tests/root/daemon", "-m", "not soak")
_LIMIT_S = 3600
_SCRIPT = """
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONDONTWRITEBYTECODE=1
exec > /tmp/out/output 2>&1
ip link set lo up
mkdir -p /usr/lib/modules && mount --bind {modules} /usr/lib/modules
cd {here} && uname -r && cat /sys/fs/cgroup/cgroup.controllers
{python} -m pytest -q -p no:cacheprovider -p tests.vm.told --timeout 600 {words}
echo $? > /tmp/out/code
sync; poweroff -f
"""


def main(words: list[str]) -> int:
    """Run the tests; their exit code."""
    kernel = _kernel()
    initrd = CACHE / "initrd"
    build(kernel, initrd)
    (image,) = (kernel / "boot").glob("vmlinuz-*")
    with tempfile.TemporaryDirectory() as folder:
        out, disk = Path(folder) / "out", Path(folder) / "disk"
        out.mkdir()
        chosen = " ".join(shlex.quote(word) for word in (words or DEFAULT))
        script = _SCRIPT.format(modules=kernel / "lib/modules", here=HERE, python=sys.executable, words=chosen)
        (out / "run.sh").write_text(script)
        with disk.open("wb") as file:
            file.truncate(8 << 30)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True)
        subprocess.run(_command(image, initrd, out, disk), check=True, stdin=subprocess.DEVNULL, timeout=_LIMIT_S)
        sys.stdout.write((out / "output").read_text(errors="replace"))
        return int((out / "code").read_text())


def _command(image: Path, initrd: Path, out: Path, disk: Path) -> list[str]:
    shared = "security_model=none,multidevs=remap"
    return [
        *("qemu-system-x86_64", "-nographic", "-no-reboot", "-m", "4G", "-smp", "2", "-cpu", "max", "-nic", "none"),
        *("-kernel", str(image), "-initrd", str(initrd), "-append", "console=ttyS0 quiet panic=-1"),
        *("-virtfs", f"local,path=/,mount_tag=root,readonly=on,{shared}"),
        *("-virtfs", f"local,path={out},mount_tag=out,{shared}"),
        *("-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"),
    ]


def _kernel() -> Path:
    """Debian's kernel package, unpacked once."""
    unpacked = CACHE / "kernel"
    if unpacked.is_dir():
        return unpacked
    CACHE.mkdir(parents=True, exist_ok=True)
    shown = subprocess.run(
        ["apt-cache", "depends", "linux-image-amd64"], check=True, capture_output=True, text=True
    ).stdout
    name = next(line.split()[1] for line in shown.splitlines() if "Depends:" in line)
    subprocess.run(["apt-get", "download", name], check=True, cwd=CACHE)
    (package,) = CACHE.glob(f"{name}_*.deb")
    staged = CACHE / "staged"
    subprocess.run(["dpkg", "-x", str(package), str(staged)], check=True)
    (modules,) = (staged / "lib/modules").iterdir()
    subprocess.run(["depmod", "-b", str(staged), modules.name], check=True)
    package.unlink()
    os.rename(staged, unpacked)
    return unpacked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
