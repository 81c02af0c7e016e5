import errno
import os

import pytest

from havre.kernel.libc import KernelError
from havre.kernel.pty import make_controlling, open_pty, pty_number, resize, window_size
from tests.support.forked import in_child


def test_both_ends_are_joined() -> None:
    master, peer = open_pty()
    try:
        assert not os.get_inheritable(master)
        assert not os.get_inheritable(peer)
        assert os.ttyname(peer) == f"/dev/pts/{pty_number(master)}"
        os.write(peer, b"line\n")
        assert os.read(master, 99) == b"line\r\n"
        resize(master, 24, 80)
        assert window_size(peer) == (24, 80)
    finally:
        os.close(master)
        os.close(peer)


def test_sizes_out_of_range_are_refused() -> None:
    master, peer = open_pty()
    try:
        for rows, columns in ((-1, 80), (24, 65536)):
            with pytest.raises(KernelError, match="resize"):
                resize(master, rows, columns)
    finally:
        os.close(master)
        os.close(peer)


def test_only_a_devpts_gives_one() -> None:
    folder = os.open("/dev", os.O_PATH)
    try:
        with pytest.raises(KernelError, match="not a devpts") as caught:
            open_pty(folder)
        assert caught.value.errno == errno.EINVAL
    finally:
        os.close(folder)


def test_a_session_gets_its_terminal() -> None:
    def body() -> None:
        master, peer = open_pty()
        os.setsid()
        make_controlling(peer)
        terminal = os.open("/dev/tty", os.O_RDWR)
        os.write(terminal, b"x")
        assert os.read(master, 9) == b"x"

    in_child(body)


def test_what_is_no_terminal_cannot_control() -> None:
    with pytest.raises(KernelError, match="controlling"):
        make_controlling(0xFFFF)
