"""Local volumes with a size: a file that holds a file system of its own, mounted while the volume is used."""

from pathlib import Path

from havre.base.errors import InvalidInput, NotSupported


def parse_size(name: str, text: str) -> int:
    """Bytes of `10M`, `1g`, `4096`. Raises InvalidInput."""
    units = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
    body = text.strip().lower()
    body = body[:-2] if body.endswith(("kb", "mb", "gb", "tb")) else body.removesuffix("b")
    unit = body[-1:] if body[-1:] in "kmgt" else ""
    number = body.removesuffix(unit) if unit else body
    if not number.isascii() or not number.isdecimal() or not int(number):
        raise InvalidInput(f"create {name}: invalid size: '{text[:64]}'")
    return int(number) * units[unit]


def make(folder: Path, size_bytes: int) -> None:
    """Raises NotSupported."""
    raise NotSupported(f"create {folder.name}: a size of {size_bytes} bytes cannot be enforced on this host")


def mount_size(folder: Path, data: Path) -> None:
    """Mount what `make` made."""
    raise NotSupported(f"{folder} cannot be mounted on {data}")
