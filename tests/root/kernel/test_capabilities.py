"""The five sets, as an init sets them."""

import os
from pathlib import Path

import pytest

from havre.kernel.capabilities import (
    ambient,
    bounding,
    current,
    limit_bounding,
    mask_of,
    set_ambient,
    set_current,
)
from havre.kernel.libc import KernelError
from havre.kernel.process import set_keep_capabilities
from tests.support.forked import in_child

pytestmark = pytest.mark.root
DOCKERS = 0xA80425FB


def test_dockers_fingerprint() -> None:
    def body() -> None:
        limit_bounding(DOCKERS)
        set_current(DOCKERS, DOCKERS, 0)
        set_ambient(0)
        lines = Path("/proc/self/status").read_text().splitlines()
        sets = {line[:6]: int(line[8:], 16) for line in lines if line.startswith("Cap")}
        assert sets == {"CapInh": 0, "CapPrm": DOCKERS, "CapEff": DOCKERS, "CapBnd": DOCKERS, "CapAmb": 0}
        assert (current(), bounding(), ambient()) == ((DOCKERS, DOCKERS, 0), DOCKERS, 0)
        with pytest.raises(KernelError, match="capset"):
            set_current(1 << 21, 1 << 21, 0)

    in_child(body)


def test_another_user_keeps_what_is_kept() -> None:
    wanted = mask_of(["CAP_NET_BIND_SERVICE", "CAP_KILL"])

    def body() -> None:
        limit_bounding(DOCKERS)
        set_keep_capabilities(True)
        os.setgroups([])
        os.setresgid(1234, 1234, 1234)
        os.setresuid(1234, 1234, 1234)
        set_current(wanted, wanted, wanted)
        set_ambient(mask_of(["CAP_KILL"]))
        assert (current(), bounding(), ambient()) == ((wanted, wanted, wanted), DOCKERS, mask_of(["CAP_KILL"]))
        with pytest.raises(KernelError, match="ambient capability 0"):
            set_ambient(1)

    in_child(body)
