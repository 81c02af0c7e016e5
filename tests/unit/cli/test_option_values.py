"""Values of options that have a grammar of their own."""

from __future__ import annotations

import pytest

from havre.cli import option_values


@pytest.mark.parametrize(
    ("text", "count", "devices", "capabilities"),
    [
        ("all", -1, None, ["gpu"]),
        ("2", 2, None, ["gpu"]),
        ('"device=0,1","capabilities=compute,utility"', 0, ["0", "1"], ["compute", "utility", "gpu"]),
        ("driver=nvidia", 1, None, ["gpu"]),
    ],
)
def test_gpus(text: str, count: int, devices: list[str] | None, capabilities: list[str]) -> None:
    made = option_values.gpus(text)
    assert (made["Count"], made["DeviceIDs"], made["Capabilities"]) == (count, devices, [capabilities])


@pytest.mark.parametrize("text", ["few", "count=1,count=2", "colour=red"])
def test_gpus_that_make_no_sense(text: str) -> None:
    with pytest.raises(ValueError, match=r"count|once|unexpected"):
        option_values.gpus(text)
