"""What Docker's classic builder says of a bad Dockerfile, and what Havre's reader says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.parser import decode
from havre.build.dockerfile.program import read_text
from tests.support.engines import Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

FOLDER = Path(__file__).parents[1] / "golden" / "dockerfile" / "negative"
NEWER = {"copy-from-variable", "heredoc-destination", "mount-from-variable", "network-mode", "security-mode"}
NEWER |= {"switch-value", "unterminated-heredoc", "health-retries"}
CRASHES = {"only-args"}
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.name not in NEWER | CRASHES)


def reason(message: str) -> str:
    """The sentence, without what differs from version to version."""
    plain = message.removeprefix("Error response from daemon: ").removeprefix("failed to parse Dockerfile: ")
    plain = re.sub(r"^dockerfile parse error (on )?line \d+: ", "", plain).replace("(Dockerfile) ", "")
    plain = re.sub(r" \(did you mean .*\?\)$", "", plain)
    return re.sub(r"(flag.*: )--", r"\1", plain.lower())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_sentence(reference: Reference, name: str) -> None:
    data = (FOLDER / name / "Dockerfile").read_bytes()
    done = reference.docker("build", "-q", "-", stdin=data)
    assert done.returncode == 1
    theirs = done.stderr.decode().strip().splitlines()[-1]
    with pytest.raises(DockerfileError) as caught:
        read_text(decode(data))
    assert reason(caught.value.message) == reason(theirs)
    if "parse error" in theirs:
        assert caught.value.location is not None
        assert f"line {caught.value.location.first}:" in theirs
