"""The words of mount options."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput, NotSupported
from havre.kernel.mounts import MountAttr, MountFlag
from havre.runtime.init.mount_options import KNOWN, Options, parse_options


def test_nothing() -> None:
    assert parse_options(None) == Options()
    assert parse_options(["defaults", ""]) == Options()


def test_flags_and_data() -> None:
    found = parse_options(["nosuid", "strictatime", "mode=755", "size=65536k"])
    assert found.flags == MountFlag.NOSUID | MountFlag.STRICTATIME
    assert found.attr_set == MountAttr.NOSUID | MountAttr.STRICTATIME
    assert found.data == ("mode=755", "size=65536k")


def test_the_later_word_wins() -> None:
    assert parse_options(["ro", "rw"]).flags == 0
    assert parse_options(["ro", "rw"]).attr_clear == MountAttr.RDONLY
    assert parse_options(["rw", "ro"]).attr_set == MountAttr.RDONLY
    assert parse_options(["rw", "ro"]).attr_clear == 0


def test_binds_and_recursion() -> None:
    assert parse_options(["bind"]) == Options(bind=True)
    assert parse_options(["rbind"]) == Options(bind=True, recursive=True)
    assert parse_options([], kind="bind").bind
    found = parse_options(["rbind", "rro"])
    assert (found.attr_set, found.tree_set) == (0, MountAttr.RDONLY)


def test_relatime_is_no_recursive_word() -> None:
    assert parse_options(["relatime"]).flags == MountFlag.RELATIME
    assert parse_options(["rnoatime"]).tree_set == MountAttr.NOATIME


@pytest.mark.parametrize("word", ["private", "slave", "shared", "unbindable"])
def test_propagation(word: str) -> None:
    flag = vars(MountFlag)[word.upper()]
    assert parse_options([word])[7:9] == (flag, False)
    assert parse_options([f"r{word}"])[7:9] == (flag, True)


def test_every_known_word_is_taken_and_none_passed_on() -> None:
    assert not parse_options(KNOWN).data


def test_what_is_refused() -> None:
    with pytest.raises(NotSupported):
        parse_options(["idmap"])
    with pytest.raises(InvalidInput):
        parse_options(["size=\0"])
