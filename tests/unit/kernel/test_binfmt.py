"""Which machines' programs run here."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.kernel.binfmt import can_run

ENTRY = (
    "{on}\ninterpreter /usr/bin/qemu\nflags: {flags}\n"
    "offset 0\nmagic 7f454c46020{order}010000000000000000000200{machine}\n"
)


def entry(*, on: str = "enabled", flags: str = "OCF", order: str = "1", machine: str = "b700") -> str:
    return ENTRY.format(on=on, flags=flags, order=order, machine=machine)


@pytest.mark.parametrize(
    ("text", "architecture", "runs"),
    [
        (entry(), "arm64", True),
        (entry(), "riscv64", False),
        (entry(machine="f300"), "riscv64", True),
        (entry(order="2", machine="0016"), "s390x", True),
        (entry(machine="0016"), "s390x", False),
        (entry(on="disabled"), "arm64", False),
        (entry(flags="OC"), "arm64", False),
        (entry().replace("magic 7f", "magic 00"), "arm64", False),
        ("enabled\ninterpreter /x\nextension .py\n", "arm64", False),
        ("enabled\nflags: F\nmagic xyz\n", "arm64", False),
        (entry(), "sparc", True),
    ],
)
def test_interpreters(tmp_path: Path, text: str, architecture: str, runs: bool) -> None:  # noqa: FBT001
    (tmp_path / "register").write_text("")
    (tmp_path / "qemu").write_text(text)
    assert can_run(architecture, "amd64", tmp_path) == runs


def test_what_needs_none(tmp_path: Path) -> None:
    assert can_run("amd64", "amd64", tmp_path / "none")
    assert can_run("386", "amd64", tmp_path / "none")
    assert can_run("riscv64", "riscv64", tmp_path / "none")
    assert not can_run("arm64", "amd64", tmp_path / "none")
