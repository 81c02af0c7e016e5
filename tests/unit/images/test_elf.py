from __future__ import annotations

import os
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from havre.images.elf import can_write_for, program

TEXT = b"one line\nanother\n"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="runs the program")
def test_it_says_its_text(tmp_path: Path) -> None:
    path = tmp_path / "hello"
    path.write_bytes(program("amd64", TEXT))
    path.chmod(stat.S_IRWXU)
    done = subprocess.run([path], check=True, capture_output=True, timeout=10)
    assert done.stdout == TEXT
    assert done.stderr == b""


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_its_header(architecture: str, machine: int) -> None:
    made = program(architecture, TEXT)
    assert made[:4] == b"\x7fELF"
    kind, found, _, entry = struct.unpack_from("<HHIQ", made, 16)
    assert (kind, found) == (2, machine)
    segment, flags, offset, address, _, in_file, in_memory, align = struct.unpack_from("<IIQQQQQQ", made, 64)
    assert (segment, flags, offset) == (1, 5, 0)
    assert in_file == in_memory == len(made)
    assert address % align == 0
    assert entry == address + 120
    assert made.endswith(TEXT)
    assert len(made) < 250


def test_arm64_code_is_what_the_manual_says() -> None:
    words = struct.unpack_from("<16I", program("arm64", TEXT), 120)
    assert words[8] == words[13] == 0xD4000001  # svc #0
    assert words[0] == 0xD2800020  # movz x0, #1
    assert words[6] == 0xD2800808  # movz x8, #64
    address = (words[2] >> 5 & 0xFFFF) | (words[3] >> 5 & 0xFFFF) << 16
    assert address == 0x400000 + 120 + 4 * 14
    assert words[4] >> 5 & 0xFFFF == len(TEXT)


def test_other_machines() -> None:
    assert can_write_for("amd64")
    assert can_write_for("arm64")
    assert not can_write_for("riscv64")
