from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import InternalError
from havre.kernel.libc import KernelError
from havre.volumes.driver import mount_volume, split_options, with_address
from havre.volumes.model import Volume
from havre.volumes.plugins import Driver, Plugins


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, "")),
        ("size=1m,uid=5", (0, "size=1m,uid=5")),
        ("ro,nosuid", (3, "")),
        ("bind", (4096, "")),
        ("rbind,rw", (4096 | 16384, "")),
        ("addr=h,nfsvers=4,noatime", (1024, "addr=h,nfsvers=4")),
    ],
)
def test_flags_and_the_rest(text: str, expected: tuple[int, str]) -> None:
    assert split_options(text) == expected


def test_the_server_of_a_network_file_system_is_named_by_number() -> None:
    assert with_address("addr=localhost,vers=4") in {"addr=127.0.0.1,vers=4", "addr=::1,vers=4"}
    assert with_address("vers=4") == "vers=4"
    assert split_options("rbind,nosuid,rshared,mand,vers=4")[1] == "vers=4"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"type": "ext4", "device": "/dev/none"}, "mount /dev/none:PLACE"),
        ({"type": "tmpfs", "device": "tmpfs", "o": "ro,uid=5"}, "mount tmpfs:PLACE, flags: 0x1, data: uid=5"),
        (
            {"type": "cifs", "device": "//h/s", "o": "username=u,password=hush,pass=hush,addr=127.0.0.1"},
            "mount //h/s:PLACE, data: username=u,password=********,pass=********,addr=127.0.0.1",
        ),
    ],
)
def test_a_failure_in_words_without_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], words: str
) -> None:
    def refuse(source: str, _target: Path, _kind: str, _flags: int, data: str) -> None:
        raise KernelError.of(2, f"mount {source} ({data})")

    monkeypatch.setattr("havre.volumes.driver.mount", refuse)
    volume = Volume(name="one", created_ns=1, options=options)
    with pytest.raises(InternalError) as failed:
        mount_volume(volume, tmp_path / "place", Plugins())
    place = str(tmp_path / "place")
    assert str(failed.value).replace(place, "PLACE") == (
        f"error while mounting volume 'PLACE': failed to mount local volume: {words}: no such file or directory"
    )
    assert failed.value.__cause__ is None


def test_a_plugin_hears_that_what_it_mounted_cannot_be_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[str]()

    def tell_mount(_: Driver, volume: str, __: str) -> Path:
        told.append(f"mount {volume}")
        return tmp_path / "absent"

    monkeypatch.setattr(Plugins, "driver", lambda _, name: Driver(name, "unix:///none"))
    monkeypatch.setattr(Driver, "mount", tell_mount)
    monkeypatch.setattr(Driver, "unmount", lambda _, volume, __: told.append(f"unmount {volume}"))
    with pytest.raises(InternalError, match="No such file or directory"):
        mount_volume(Volume(name="one", created_ns=1, driver="some"), tmp_path / "place", Plugins())
    assert told == ["mount one", "unmount one"]
