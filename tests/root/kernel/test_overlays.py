from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.kernel import overlay_options, overlays
from havre.kernel.libc import KernelError
from havre.kernel.mounts import MountAttr

pytestmark = pytest.mark.root


@pytest.fixture(params=["layer by layer", "page of text"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "page of text":
        monkeypatch.setattr(overlays, "takes_layers", lambda _: False)
    elif not overlay_options.takes_layers(os.uname().release):
        pytest.skip("this kernel knows no lowerdir+")


@pytest.fixture
def layers(tmp_path: Path) -> list[str]:
    folders = []
    for number in range(60):
        folder = tmp_path / "layers" / f"layer-{number}"
        folder.mkdir(parents=True)
        (folder / f"file-{number}").write_text(str(number))
        (folder / "same").write_text(str(number))
        folders.append(str(folder))
    return folders


def _opened(lowers: list[str], options: tuple[tuple[str, str], ...] = (), attributes: int = 0) -> int:
    mount = overlays.detached_overlay(lowers, options, attributes)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mount)
    finally:
        os.close(mount)


@pytest.mark.usefixtures("_kernel")
def test_it_shows_every_layer_and_the_first_on_top(layers: list[str]) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    handle = _opened(layers, attributes=MountAttr.RDONLY)
    try:
        assert sorted(os.listdir(handle)) == sorted([*(f"file-{number}" for number in range(60)), "same"])
        file = os.open("same", os.O_RDONLY, dir_fd=handle)
        assert os.read(file, 10) == b"0"
        os.close(file)
        assert Path("/proc/self/mountinfo").read_text() == before
        with pytest.raises(OSError, match="Read-only"):
            os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=handle)
    finally:
        os.close(handle)


@pytest.mark.usefixtures("_kernel")
def test_changes_go_to_the_upper_folder(layers: list[str], tmp_path: Path) -> None:
    upper, work = tmp_path / "upper", tmp_path / "work"
    upper.mkdir()
    work.mkdir()
    handle = _opened(layers[:1], (("upperdir", str(upper)), ("workdir", str(work))))
    try:
        os.close(os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
    finally:
        os.close(handle)
    assert [path.name for path in upper.iterdir()] == ["new"]


@pytest.mark.usefixtures("_kernel")
def test_a_missing_layer_is_told(layers: list[str], tmp_path: Path) -> None:
    with pytest.raises(KernelError):
        overlays.detached_overlay([*layers, str(tmp_path / "absent")])
