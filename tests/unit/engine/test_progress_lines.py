from __future__ import annotations

import pytest

from havre.engine.progress_lines import bar, human_size, line_of
from havre.images.transfer_events import LayerBytes, LayerState, Note, TagPushed


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (28_861, "28.86kB"), (2_811_969, "2.812MB"), (10**15 * 5, "5PB")],
)
def test_sizes(count: int, text: str) -> None:
    assert human_size(count) == text


def test_bars() -> None:
    assert bar(28_861, 2_811_969) == "[>" + " " * 50 + "]  28.86kB/2.812MB"
    assert bar(5, 10) == "[" + "=" * 25 + ">" + " " * 25 + "]       5B/10B"
    assert bar(10, 10) == "[" + "=" * 50 + ">]      10B/10B"
    assert bar(7, 0) == "      7B"


def test_lines() -> None:
    assert line_of(LayerState("a", "Waiting")) == {"status": "Waiting", "progressDetail": {}, "id": "a"}
    assert line_of(Note("Digest: x")) == {"status": "Digest: x"}
    assert line_of(Note("Pulling from x", "1")) == {"status": "Pulling from x", "id": "1"}
    assert line_of(LayerBytes("a", "Downloading", 1, 2))["progressDetail"] == {"current": 1, "total": 2}
    assert line_of(TagPushed("1", "sha256:0", 5))["aux"] == {"Tag": "1", "Digest": "sha256:0", "Size": 5}
