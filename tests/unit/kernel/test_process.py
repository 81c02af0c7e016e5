import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from havre.kernel import process
from havre.kernel.libc import KernelError
from tests.support.forked import in_child


def test_pidfd_holds_a_process() -> None:
    child = subprocess.Popen(["sleep", "60"])
    handle = process.pidfd_open(child.pid)
    try:
        assert not os.get_inheritable(handle)
        process.pidfd_send_signal(handle, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        with pytest.raises(KernelError, match="send signal 15") as caught:
            process.pidfd_send_signal(handle, signal.SIGTERM)
        assert caught.value.errno == errno.ESRCH
    finally:
        os.close(handle)
    with pytest.raises(KernelError, match=f"process {child.pid}"):
        process.pidfd_open(child.pid)


def test_attributes_of_the_process() -> None:
    def body() -> None:
        process.set_name("a name longer than fifteen")
        assert Path("/proc/self/comm").read_text() == "a name longer t\n"
        process.set_no_new_privileges()
        assert "NoNewPrivs:\t1" in Path("/proc/self/status").read_text()
        process.set_subreaper()
        process.set_dumpable(False)
        process.set_keep_capabilities(True)
        process.set_parent_death_signal(signal.SIGKILL)
        with pytest.raises(KernelError, match="death signal 9999"):
            process.set_parent_death_signal(9999)

    in_child(body)


def test_a_subreaper_gets_the_orphans() -> None:
    def body() -> None:
        process.set_subreaper()
        read_end, write_end = os.pipe()
        if (middle := os.fork()) == 0:
            if os.fork() == 0:
                os.read(read_end, 1)
                os._exit(7)
            os._exit(0)
        os.waitpid(middle, 0)
        os.write(write_end, b".")
        _, status = os.wait()
        assert os.waitstatus_to_exitcode(status) == 7

    in_child(body)


def test_limits_by_oci_name() -> None:
    def body() -> None:
        soft, hard = process.get_rlimit("RLIMIT_NOFILE")
        assert (soft, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
        process.set_rlimit("RLIMIT_NOFILE", 64, 100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, 100)
        with pytest.raises(KernelError, match="RLIMIT_NOFILE to soft 65, hard 64") as caught:
            process.set_rlimit("RLIMIT_NOFILE", 65, 64)
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(KeyError):
            process.set_rlimit("RLIMIT_WISHES", 1, 1)

    in_child(body)


def test_numbers_of_the_limits_are_the_modules() -> None:
    for name, number in process.RLIMITS.items():
        assert getattr(resource, name, number) == number


def test_handles_close_on_exec() -> None:
    def body() -> None:
        one, other = os.pipe()
        os.set_inheritable(one, True)
        process.mark_close_on_exec(3)
        assert not os.get_inheritable(one)
        process.close_range(other, other)
        with pytest.raises(OSError):
            os.fstat(other)

    in_child(body)


def test_exec_by_handle() -> None:
    script = (
        "import os, sys; from havre.kernel.process import execveat;"
        "fd = os.open('/bin/echo', os.O_PATH | os.O_CLOEXEC);"
        "execveat(fd, ['echo', 'a', 'ü'], ['LANG=C'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == "a ü\n".encode()


def test_a_failed_exec_comes_back() -> None:
    folder = os.open("/", os.O_PATH)
    try:
        with pytest.raises(KernelError, match="exec no/such") as caught:
            process.execveat(folder, ["x"], [], "no/such")
        assert caught.value.errno == errno.ENOENT
    finally:
        os.close(folder)


def test_start_time_tells_processes_apart() -> None:
    child = subprocess.Popen(["sleep", "60"])
    began = process.start_time(child.pid)
    assert began is not None
    assert began >= (process.start_time(os.getpid()) or 0)
    proc = os.open("/proc", os.O_PATH)
    assert process.start_time(child.pid, proc) == began
    os.close(proc)
    child.kill()
    child.wait()
    assert process.start_time(child.pid) is None


def test_boot_id() -> None:
    assert process.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_session_keyring() -> None:
    def body() -> None:
        try:
            key = process.join_session_keyring("havre-test")
        except KernelError as error:
            assert error.errno in {errno.EPERM, errno.ENOSYS}
            return
        assert key > 0
        process.set_key_permissions(key, 0x3F3F0000)

    in_child(body)


_FAULTS = """
import resource
from havre.kernel.process import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        pieces = [b"x" * (100 << 10) for _ in range(4)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_freed_memory(1 << 20)
faults()
print(first, faults())
"""


def test_freed_memory_that_is_kept_is_not_faulted_in_again() -> None:
    line = [sys.executable, "-c", _FAULTS]
    first, kept = map(int, subprocess.run(line, check=True, capture_output=True, text=True).stdout.split())
    assert first > 1000
    assert kept < 100
