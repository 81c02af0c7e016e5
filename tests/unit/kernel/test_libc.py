import errno

import pytest

from havre.kernel.libc import KernelError, by_machine, path_bytes, shown, syscall

GETPID = by_machine(x86_64=39, aarch64=172)
CLOSE = by_machine(x86_64=3, aarch64=57)


def test_the_result_comes_back() -> None:
    import os

    assert syscall(GETPID) == os.getpid()


def test_a_failure_tells_what_was_tried() -> None:
    with pytest.raises(KernelError, match=r"^close 999: Bad file descriptor$") as caught:
        syscall(CLOSE, 999, tried="close 999")
    assert caught.value.errno == errno.EBADF
    assert isinstance(caught.value, OSError)


def test_a_failure_without_words_names_the_number() -> None:
    with pytest.raises(KernelError, match=f"^system call {CLOSE}: "):
        syscall(CLOSE, 999)


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(KernelError) as caught:
        path_bytes("/etc\0/shadow")
    assert caught.value.errno == errno.EINVAL


def test_paths_keep_bytes_that_are_no_text() -> None:
    assert path_bytes("/a\udcff") == b"/a\xff"


def test_shown_keeps_escapes_from_a_terminal() -> None:
    assert shown("plain/ü") == "plain/ü"
    assert "\x1b" not in shown("bad\x1b[2J")
