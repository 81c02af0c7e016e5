"""The golden Dockerfiles become the file trees, settings and histories that they shall."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from havre.images.platforms import host_platform
from tests.support.engines import Havre
from tests.support.golden_builds import CASES, FOLDER, flags_of, make_context

pytestmark = pytest.mark.root

WRITE = bool(os.environ.get("HAVRE_UPDATE_GOLDEN"))


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    make_context(folder)
    return folder


def tree(havre: Havre, image: str) -> dict[str, str]:
    """What each path is: its kind, mode, owner, and its content or where it leads."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(havre.api().get(f"/images/{image}/tree").body)) as archive:
        for member in archive:
            what = member.linkname
            if member.isreg():
                content = archive.extractfile(member)
                data = content.read() if content is not None else b""
                what = (
                    repr(data.decode()) if len(data) < 200 and data.isascii() else hashlib.sha256(data).hexdigest()[:16]
                )
            kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.LNKTYPE: "h"}.get(member.type, "-")
            about = f"{kind}{member.mode & 0o7777:04o} {member.uid}:{member.gid}"
            found[f"/{member.name.strip('/')}"] = f"{about} {what}".rstrip()
    return found


def described(havre: Havre, image: str) -> dict[str, Any]:
    """What the build put on its base, and what the image says."""
    below, whole = tree(havre, "busybox"), tree(havre, image)
    (about,) = json.loads(havre.out("image", "inspect", image))
    history = json.loads(havre.api().get(f"/images/{image}/history").body)
    config = {key: value for key, value in about["Config"].items() if value not in (None, "", [], {}, False)}
    return {
        "author": about["Author"],
        "config": config,
        "history": [step["CreatedBy"] for step in reversed(history)],
        "gone": sorted(below.keys() - whole.keys()),
        "tree": {path: what for path, what in sorted(whole.items()) if below.get(path) != what},
    }


@pytest.mark.parametrize("case", CASES)
def test_image(havre: Havre, context: Path, case: str) -> None:
    """After a wanted change: HAVRE_UPDATE_GOLDEN=1 pytest, then read the diff."""
    for name in ("Dockerfile", "Dockerfile.dockerignore"):
        if (FOLDER / case / name).exists():
            shutil.copy(FOLDER / case / name, context)
    done = havre.havre("build", "-t", f"golden:{case}", *flags_of(case, context), str(context))
    assert done.returncode == 0, done.stderr.decode()
    found = json.dumps(described(havre, f"golden:{case}"), indent=1, ensure_ascii=False) + "\n"
    found = re.sub(rf"\b{host_platform().architecture}\b", "amd64", found)
    path = FOLDER / case / "image.json"
    if WRITE:
        path.write_text(found)
    assert found == path.read_text()
