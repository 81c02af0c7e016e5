"""Our programs in the kernel itself."""

import ctypes
import errno
import json
import os
import signal
import socket
from pathlib import Path

import pytest

import havre.runtime
from havre.kernel.capabilities import limit_bounding, set_current
from havre.kernel.libc import KernelError, by_machine, syscall
from havre.kernel.process import set_no_new_privileges
from havre.kernel.seccomp import FLAGS, compile_filter, install
from havre.oci.runtime_spec import Seccomp, SeccompArg, SeccompRule
from tests.support.forked import in_child

pytestmark = pytest.mark.root
MKDIR = by_machine(x86_64=258, aarch64=34)  # mkdirat


def one_rule(
    names: list[str], action: str, *, args: list[SeccompArg] | None = None, errno_ret: int | None = None
) -> bytes:
    rule = SeccompRule(names=names, action=action, errno_ret=errno_ret, args=args)
    return compile_filter(Seccomp(default_action="SCMP_ACT_ALLOW", syscalls=[rule]))


def test_a_call_is_refused_with_its_number(tmp_path: Path) -> None:
    program = one_rule(["mkdir", "mkdirat"], "SCMP_ACT_ERRNO", errno_ret=errno.EXDEV)

    def body() -> None:
        install(program)
        with pytest.raises(OSError) as caught:
            os.mkdir(tmp_path / "folder")
        assert caught.value.errno == errno.EXDEV
        assert os.getpid() > 0

    in_child(body)


def test_arguments_are_looked_at() -> None:
    program = one_rule(["socket"], "SCMP_ACT_ERRNO", args=[SeccompArg(index=0, value=socket.AF_ALG)])

    def body() -> None:
        install(program, FLAGS["SECCOMP_FILTER_FLAG_LOG"])
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
        with pytest.raises(PermissionError):
            socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)

    in_child(body)


def test_killing_kills() -> None:
    program = one_rule(["mkdir", "mkdirat"], "SCMP_ACT_KILL_PROCESS")
    pid = os.fork()
    if pid == 0:
        install(program)
        os.mkdir("/proc/never")
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGSYS


def test_without_rights_no_new_privileges_comes_first() -> None:
    program = one_rule(["mkdir"], "SCMP_ACT_ERRNO")

    def body() -> None:
        limit_bounding(0)
        set_current(0, 0, 0)
        with pytest.raises(KernelError, match=r"install a seccomp filter of \d+ instructions: Permission denied"):
            install(program)
        set_no_new_privileges()
        install(program)

    in_child(body)


def test_a_program_out_of_form_is_refused() -> None:
    def body() -> None:
        for program in (b"", b"\0" * 8, bytes.fromhex("1500ffff00000000")):
            with pytest.raises(KernelError) as caught:
                install(program)
            assert caught.value.errno == errno.EINVAL

    in_child(body)


def test_dockers_profile_is_taken_by_the_kernel() -> None:
    raw = json.loads(Path(havre.runtime.__path__[0], "seccomp_default.json").read_text())
    allowed = [name for rule in raw["syscalls"] if not rule.get("args") for name in rule["names"]]
    arches = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] if os.uname().machine == "x86_64" else None
    rules = [SeccompRule(names=allowed, action="SCMP_ACT_ALLOW")]
    program = compile_filter(Seccomp(default_action="SCMP_ACT_ERRNO", architectures=arches, syscalls=rules))

    def body() -> None:
        install(program)
        with pytest.raises(KernelError) as caught:
            syscall(9999)
        assert caught.value.errno == errno.ENOSYS
        with pytest.raises(KernelError) as caught:
            syscall(by_machine(x86_64=246, aarch64=104))  # kexec_load
        assert caught.value.errno == errno.EPERM
        assert ctypes.get_errno() == errno.EPERM

    in_child(body)
