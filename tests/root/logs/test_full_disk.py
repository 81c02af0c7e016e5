"""L-04: the disk is full, the container goes on, what is missing is counted."""

import json
from pathlib import Path

import pytest

from havre.kernel.mounts import MountFlag, mount
from havre.kernel.namespaces import CLONE, unshare
from havre.logs.json_file import JSONFileWriter
from havre.logs.rotating import Limits
from tests.support.forked import in_child

pytestmark = pytest.mark.root


@pytest.mark.parametrize(("max_size", "max_files"), [(0, 0), (16 << 10, 3), (16 << 10, 1)])
def test_a_full_disk_is_outlived_and_counted(tmp_path: Path, max_size: int, max_files: int) -> None:
    def body() -> None:
        unshare(CLONE.NEWNS)
        mount("none", "/", flags=MountFlag.REC | MountFlag.PRIVATE)
        mount("tmpfs", tmp_path, "tmpfs", data="size=64k")
        (tmp_path / "filler").write_bytes(bytes(44 << 10))
        writer = JSONFileWriter(tmp_path / "log", Limits(max_size, max_files))
        for number in range(2000):
            writer.write(1, b"line %d\n" % number)
        stored = [
            json.loads(line)["log"]
            for path in sorted(tmp_path.glob("log*"), reverse=True)
            for line in path.read_bytes().splitlines()
        ]
        assert len(stored) >= 100
        assert stored == sorted(stored, key=lambda text: int(text.split()[1]))
        if not max_size:
            assert writer.lost_lines == 2000 - len(stored)
        (tmp_path / "filler").unlink()
        writer.write(1, b"space again\n")
        writer.close()
        assert json.loads((tmp_path / "log").read_bytes().splitlines()[-1])["log"] == "space again\n"

    in_child(body)
