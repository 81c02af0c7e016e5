"""clone3, unshare, setns and what is set inside: each in a child or a program of its own."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.kernel.namespaces import (
    BY_NAME,
    CLONE,
    open_namespace,
    set_domainname,
    set_hostname,
    set_loopback_up,
    setns,
    unshare,
)
from tests.support.forked import in_child

pytestmark = pytest.mark.root


def test_names_of_the_machine_are_the_namespaces() -> None:
    before = socket.gethostname()

    def body() -> None:
        unshare(CLONE.NEWUTS)
        set_hostname("inside")
        set_domainname("example.test")
        assert socket.gethostname() == "inside"
        assert Path("/proc/sys/kernel/domainname").read_text() == "example.test\n"
        with pytest.raises(KernelError, match="sethostname"):
            set_hostname("n" * 65)

    in_child(body)
    assert socket.gethostname() == before


def test_loopback_comes_up() -> None:
    def body() -> None:
        unshare(CLONE.NEWNET)
        server = socket.socket()
        with pytest.raises(OSError):
            server.connect(("127.0.0.1", 9))
        set_loopback_up()
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname()).close()

    in_child(body)


@pytest.mark.parametrize("kind", sorted(BY_NAME))
def test_namespaces_are_joined_by_handle(kind: str) -> None:
    def body() -> None:
        proc = os.open("/proc", os.O_PATH)
        handle = open_namespace(proc, os.getpid(), kind)
        assert not os.get_inheritable(handle)
        own = os.fstat(handle).st_ino
        if kind == "user":
            with pytest.raises(KernelError, match="setns"):
                setns(handle, CLONE.NEWUSER)  # one's own is refused: setns(2)
            return
        unshare(BY_NAME[kind])
        setns(handle, BY_NAME[kind])
        again = open_namespace(proc, os.getpid(), kind)
        assert os.fstat(again).st_ino == own

    in_child(body)


def test_a_wrong_flag_is_told() -> None:
    with pytest.raises(KernelError, match=r"unshare .*: Invalid argument"):
        unshare(1)


CLONED = """
import os, signal, sys
from havre.kernel.namespaces import CLONE, clone3
seen = []
os.register_at_fork(before=lambda: seen.append("before"), after_in_parent=lambda: seen.append("parent"),
                    after_in_child=lambda: seen.append("child"))
pid, pidfd = clone3(CLONE.NEWPID | CLONE.NEWNS | CLONE.NEWIPC | CLONE.NEWUTS | CLONE.NEWNET)
if pid == 0:
    assert seen == [], seen
    assert os.getpid() == 1
    grandchild = os.fork()
    if grandchild == 0:
        import threading
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) == 3
    os._exit(42)
assert seen == [], seen
assert not os.get_inheritable(pidfd)
result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
assert (result.si_pid, result.si_status) == (pid, 42), result
os.close(pidfd)
try:
    clone3(CLONE.NEWNS | 0x200)
except OSError as error:
    assert "clone3" in str(error), error
else:
    raise AssertionError("CLONE_FS with NEWNS must be refused")
assert seen == [], seen
print("ok")
"""


def test_clone3_forks_without_hooks() -> None:
    done = subprocess.run([sys.executable, "-c", CLONED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr


INTO_CGROUP = """
import os, sys
from havre.kernel.namespaces import clone3
folder = os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
pid, pidfd = clone3(0, folder)
if pid == 0:
    os.write(1, open("/proc/self/cgroup", "rb").read())
    os._exit(0)
os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
"""


def test_clone3_is_born_in_its_cgroup() -> None:
    unified = next(
        (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"),
        None,
    )
    if unified is None:
        pytest.skip("no cgroup2 is mounted")
    folder = Path(unified, f"havre-test-clone3-{os.getpid()}")
    folder.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, "-c", INTO_CGROUP, str(folder)], capture_output=True, text=True, timeout=60, check=False
        )
        assert f"0::/{folder.name}\n" in done.stdout, done.stdout + done.stderr
    finally:
        folder.rmdir()


def test_signals_reach_a_clone(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom havre.kernel.namespaces import clone3\n"
        "from havre.kernel.process import pidfd_send_signal\n"
        "pid, fd = clone3(0)\n"
        "if pid == 0:\n    signal.pause()\n"
        "pidfd_send_signal(fd, signal.SIGTERM)\n"
        "print(os.waitid(os.P_PIDFD, fd, os.WEXITED).si_status)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{int(signal.SIGTERM)}\n", done.stderr
