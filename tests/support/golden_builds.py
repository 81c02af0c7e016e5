"""Golden Dockerfiles that are built: where they are, with which flags, and the context that all of them have."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Callable
from pathlib import Path

from tests.support.dockerfiles import packed

FOLDER = Path(__file__).parents[1] / "golden" / "builds"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile"))
FILES = {
    "a.txt": "a\n",
    "b.md": "b\n",
    "run.sh": "#!/bin/sh\n",
    "sub/c.txt": "c\n",
    "sub/deep/d.py": "d\n",
    "sub/deep/e.md": "e\n",
}


def make_context(folder: Path) -> None:
    """Put the files of the context into *folder*."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name == "run.sh" else 0o644)
    compressions: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": lambda data: gzip.compress(data, mtime=0),
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
    }
    for number, (suffix, compress) in enumerate(compressions.items()):
        (folder / f"archive.tar{suffix}").write_bytes(compress(packed({f"member{number}": "m\n"})))


def flags_of(case: str, context: Path) -> list[str]:
    """The flags of `havre build` for *case*."""
    path = FOLDER / case / "flags"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.replace("{context}", str(context)) for line in lines]


def features() -> dict[str, re.Pattern[str]]:
    """What a Dockerfile can say, and how that looks in one."""
    found = {}
    for line in (FOLDER / "features.txt").read_text().splitlines():
        name, bar, pattern = line.partition(" | ")
        if bar and not line.startswith("# What"):
            found[name] = re.compile(pattern, re.MULTILINE)
    return found
