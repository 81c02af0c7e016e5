"""The default filter of system calls in the kernel itself."""

from __future__ import annotations

import errno
import os
import platform
import socket

import pytest

from havre.kernel.libc import KernelError, by_machine, syscall
from havre.kernel.process import set_no_new_privileges
from havre.kernel.seccomp import compile_filter, install
from havre.runtime import defaults
from tests.support.forked import in_child

pytestmark = pytest.mark.root

_SOCKET = by_machine(x86_64=41, aarch64=198)


@pytest.mark.parametrize(
    ("family", "error"),
    [
        (socket.AF_VSOCK, errno.EPERM),
        (socket.AF_ALG, errno.EPERM),
        (socket.AF_VSOCK | 1 << 32, errno.EINVAL),
        (socket.AF_INET | 1 << 62, errno.EINVAL),
    ],
)
def test_families_are_refused_in_every_width(family: int, error: int) -> None:
    """R-16; the filter sees 64 bits of the family, the kernel takes 32 of them."""
    kernel = defaults.kernel_version(platform.release())
    program = compile_filter(defaults.resolve(defaults.default_profile(), [], os.uname().machine, kernel))

    def body() -> None:
        set_no_new_privileges()
        install(program)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
        with pytest.raises(KernelError) as caught:
            syscall(_SOCKET, family, socket.SOCK_STREAM, 0)
        assert caught.value.errno == error

    in_child(body)
