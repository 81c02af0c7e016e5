from pathlib import Path

import pytest

from havre.kernel.capabilities import (
    NAMES,
    NUMBERS,
    ambient,
    bounding,
    current,
    known,
    last_cap,
    mask_of,
    names_of,
)


def status(field: str) -> int:
    lines = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return int(lines[field], 16)


def test_names_and_numbers() -> None:
    assert NUMBERS["CAP_CHOWN"] == 0
    assert NUMBERS["CAP_SYS_ADMIN"] == 21
    assert NUMBERS["CAP_CHECKPOINT_RESTORE"] == 40
    assert names_of(mask_of(NAMES)) == list(NAMES)
    assert names_of(0) == []
    with pytest.raises(KeyError):
        mask_of(["CAP_WISH"])


def test_dockers_default_set_has_dockers_bits() -> None:
    short = (
        "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID"
    )
    assert mask_of([f"CAP_{name}" for name in [*short.split(), "SYS_CHROOT"]]) == 0xA80425FB


def test_the_last_one_is_the_kernels() -> None:
    assert last_cap() == int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert known().bit_length() == last_cap() + 1


def test_sets_are_those_of_proc() -> None:
    assert current() == (status("CapEff"), status("CapPrm"), status("CapInh"))
    assert bounding() == status("CapBnd")
    assert ambient() == status("CapAmb")
