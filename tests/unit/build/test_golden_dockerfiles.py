"""Dockerfiles and their typed form; Dockerfiles that are none, and the words for it.

After a wanted change: HAVRE_UPDATE_GOLDEN=1 pytest, then read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.parser import decode
from havre.build.dockerfile.program import read_text
from tests.support.parsed import golden

FOLDER = Path(__file__).parents[2] / "golden" / "dockerfile"
GOOD = sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile"))
BAD = sorted(path.parent.name for path in FOLDER.glob("negative/*/Dockerfile"))
WRITE = bool(os.environ.get("HAVRE_UPDATE_GOLDEN"))


def expected(path: Path, found: str) -> str:
    if WRITE:
        path.write_text(found)
    return path.read_text()


@pytest.mark.parametrize("name", GOOD)
def test_typed_form(name: str) -> None:
    found = golden(read_text(decode((FOLDER / name / "Dockerfile").read_bytes())))
    assert found == expected(FOLDER / name / "parsed.json", found)


@pytest.mark.parametrize("name", BAD)
def test_message(name: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        read_text(decode((FOLDER / "negative" / name / "Dockerfile").read_bytes()))
    found = f"{caught.value.message}\n"
    assert found == expected(FOLDER / "negative" / name / "message", found)


def test_there_are_some() -> None:
    assert len(GOOD) > 15
    assert len(BAD) > 35
