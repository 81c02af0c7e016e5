from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from havre.images.hello import hello_config, hello_layer
from havre.oci import image_config
from havre.oci.digest import Digest


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_image_is_the_same_everywhere(architecture: str) -> None:
    config = image_config.decode(hello_config(architecture))
    assert config.diff_ids() == (Digest.of(hello_layer(architecture)),)
    assert hello_config(architecture) == hello_config(architecture)
    assert config.architecture == architecture
    assert len(hello_layer(architecture)) < 4096


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="runs the program")
def test_what_it_says(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(hello_layer("amd64"))) as archive:
        (member,) = archive.getmembers()
        program = archive.extractfile(member)
        assert program is not None
        (tmp_path / member.name).write_bytes(program.read())
    assert (member.mode, member.uid, member.gid) == (0o755, 0, 0)
    (tmp_path / "hello").chmod(stat.S_IRWXU)
    said = subprocess.run([tmp_path / "hello"], check=True, capture_output=True, text=True, timeout=10).stdout
    assert said.startswith("Hello from Havre!\n")
    assert [line[:3] for line in said.split("\n") if line[:2].strip().isdigit()] == [" 1.", " 2.", " 3.", " 4."]
    assert "havre image bootstrap debian:bookworm" in said
    assert "havre run -it debian:bookworm bash" in said
    assert max(map(len, said.split("\n"))) <= 90
