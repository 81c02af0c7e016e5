"""The golden Dockerfiles that are built say everything that can be said, and become the graphs that they shall."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.golden_builds import CASES, FOLDER, features, flags_of
from tests.support.planned import plan, shown

WRITE = bool(os.environ.get("HAVRE_UPDATE_GOLDEN"))
PARSED = FOLDER.with_name("dockerfile")
ALL = frozenset({"network.host", "security.insecure"})


def texts(*folders: Path) -> Iterator[str]:
    for folder in folders:
        for path in folder.glob("*/Dockerfile"):
            yield path.read_bytes().decode(errors="replace")


@pytest.mark.parametrize("feature", features())
def test_a_golden_dockerfile_says_it(feature: str) -> None:
    """What has a mark behind its name cannot be built in a test: its graph or its refusal stands elsewhere."""
    if feature.endswith("(graph)"):
        found = texts(PARSED)
    elif feature.endswith("(refused)"):
        found = texts(PARSED / "negative")
    else:
        found = texts(FOLDER)
    assert any(features()[feature].search(text) for text in found), "no golden case"


@pytest.mark.parametrize("case", CASES)
def test_graph(case: str) -> None:
    """After a wanted change: HAVRE_UPDATE_GOLDEN=1 pytest, then read the diff."""
    flags = flags_of(case, Path("/context"))
    args = dict(flag.removeprefix("--build-arg=").partition("=")[::2] for flag in flags if "build-arg" in flag)
    contexts = dict(flag.removeprefix("--build-context=").partition("=")[::2] for flag in flags if "context=" in flag)
    found = shown(plan((FOLDER / case / "Dockerfile").read_text(), args, contexts=contexts, allowed=ALL))
    path = FOLDER / case / "graph.json"
    if WRITE:
        path.write_text(found)
    assert found == path.read_text()
