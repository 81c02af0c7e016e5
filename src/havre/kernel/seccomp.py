"""seccomp(2): installing a filter, and making one from its OCI description.

The compiler is a module of its own, loaded at its first use: who only installs does not pay for it.
"""

import ctypes

from havre.kernel.libc import by_machine, syscall
from havre.oci.runtime_spec import Seccomp

_SECCOMP = by_machine(x86_64=317, aarch64=277)
_SET_MODE_FILTER = 1
_INSTRUCTION_SIZE = 8

FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}
"""Flags of the OCI description by name."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def install(program: bytes, flags: int = 0) -> None:
    """Put this thread, and all it becomes, under *program* for good.

    EACCES without CAP_SYS_ADMIN or no_new_privs, EINVAL for a program that the kernel does not take.
    """
    code = ctypes.create_string_buffer(program, len(program))
    prog = _Program(len(program) // _INSTRUCTION_SIZE, ctypes.addressof(code))
    tried = f"install a seccomp filter of {len(program) // _INSTRUCTION_SIZE} instructions"
    syscall(_SECCOMP, _SET_MODE_FILTER, flags, ctypes.byref(prog), tried=tried)


def compile_filter(seccomp: Seccomp, *, native: str = "", newer_is_enosys: bool = True) -> bytes:
    """The BPF program (an array of struct sock_filter) that does what *seccomp* says. Raises InvalidInput.

    *native* is the machine (`x86_64`, `aarch64`; default: this one), which is always among the architectures.
    With *newer_is_enosys*, calls newer than any that the rules name answer ENOSYS where the default action
    refuses, so that programs fall back to older ones. It takes about a millisecond: keep the result.
    """
    from havre.kernel.seccomp_compiler import compile_program

    return compile_program(seccomp, native, newer_is_enosys=newer_is_enosys)
