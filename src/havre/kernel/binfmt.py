"""Programs for other machines, which the kernel hands to an interpreter as QEMU's: binfmt_misc.

Kernel documentation, admin-guide/binfmt-misc.rst.
"""

from pathlib import Path
from typing import Final

_ENTRIES: Final = Path("/proc/sys/fs/binfmt_misc")
_MACHINES: Final = {  # e_machine of elf(5), by Go's names
    "386": 3,
    "arm": 40,
    "amd64": 62,
    "arm64": 183,
    "loong64": 258,
    "ppc64le": 21,
    "riscv64": 243,
    "s390x": 22,
}
_NATIVE: Final = {"amd64": frozenset({"amd64", "386"})}
_ELF: Final = b"\x7fELF"


def can_run(architecture: str, own: str, entries: Path = _ENTRIES) -> bool:
    """Whether programs for *architecture* run on *own*, in any root folder; of one without a known name, try."""
    if architecture in _NATIVE.get(own, {own}):
        return True
    machine = _MACHINES.get(architecture)
    if machine is None:
        return True
    if not entries.is_dir():
        return False
    return any(_machine_of(path) == machine for path in entries.iterdir() if path.name not in {"register", "status"})


def _machine_of(entry: Path) -> int | None:
    """The machine whose programs *entry* takes; None for one that is switched off or looks for its interpreter late."""
    try:
        lines = entry.read_text(errors="replace").splitlines()
    except OSError:
        return None
    told = dict(line.replace(":", "").partition(" ")[::2] for line in lines)
    if "enabled" not in lines or "F" not in told.get("flags", ""):
        return None  # without F the interpreter would be sought in the container
    try:
        magic = bytes.fromhex(told.get("magic", ""))
    except ValueError:
        return None
    if not magic.startswith(_ELF) or len(magic) < 20:
        return None
    return int.from_bytes(magic[18:20], "big" if magic[5] == 2 else "little")
