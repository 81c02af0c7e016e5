"""Device rules as an eBPF program of type CGROUP_DEVICE: bpf(2), Documentation/admin-guide/cgroup-v2.rst.

The program sees one access (a set of read, write, mknod) to one device. Each bit of it is decided by the last rule
that speaks of it, so the rules are tried from the last to the first; what no rule decides is refused.
"""

import ctypes
import os
import struct
from collections.abc import Sequence

from havre.kernel.libc import by_machine, syscall
from havre.oci.runtime_spec import DeviceRule

_BPF = by_machine(x86_64=321, aarch64=280)
_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _GET_FD_BY_ID, _PROG_QUERY = 5, 8, 9, 13, 16
_TYPE_CGROUP_DEVICE = 15
_ATTACH_CGROUP_DEVICE = 6
_ALLOW_MULTI, _REPLACE = 2, 4
_MAX_PROGRAMS = 64
_NAME = b"havre_devices"

_BLOCK, _CHARACTER = 1, 2  # BPF_DEVCG_DEV_*
_ACCESS_BITS = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_*
_ALL_BITS = 7

# Registers: R1 the context; R2 the device's type; R3 the bits still to be decided; R4, R5 its numbers.
_R0, _R1, _R2, _R3, _R4, _R5 = range(6)
_LOAD_WORD, _MOVE, _MOVE_REGISTER, _AND, _SHIFT_RIGHT = 0x61, 0xB7, 0xBF, 0x57, 0x77
_JUMP, _JUMP_UNLESS_EQUAL, _JUMP_IF_SET, _EXIT = 0x05, 0x55, 0x45, 0x95


def _op(code: int, *, to: int = 0, of: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, to | of << 4, offset, value)


_PROLOGUE = (
    _op(_LOAD_WORD, to=_R2, of=_R1, offset=0),  # access_type: (access << 16) | type
    _op(_MOVE_REGISTER, to=_R3, of=_R2),
    _op(_AND, to=_R2, value=0xFFFF),
    _op(_SHIFT_RIGHT, to=_R3, value=16),
    _op(_LOAD_WORD, to=_R4, of=_R1, offset=4),
    _op(_LOAD_WORD, to=_R5, of=_R1, offset=8),
)


def _answer(allow: int) -> list[bytes]:
    return [_op(_MOVE, to=_R0, value=allow), _op(_EXIT)]


def _verdict(rule: DeviceRule) -> list[bytes]:
    """What happens once the device is the rule's; falls through when bits stay undecided."""
    bits = sum(_ACCESS_BITS[letter] for letter in set(rule.access))
    if bits == _ALL_BITS:
        return _answer(int(rule.allow))
    if rule.allow:
        left = _op(_AND, to=_R3, value=_ALL_BITS & ~bits)
        return [left, _op(_JUMP_UNLESS_EQUAL, to=_R3, offset=2, value=0), *_answer(1)]
    return [_op(_JUMP_IF_SET, to=_R3, offset=1, value=bits), _op(_JUMP, offset=2), *_answer(0)]


def assemble(rules: Sequence[DeviceRule]) -> bytes:
    """The instructions for *rules* (of `writes.normal_rules`, so numbers and letters are known to be right)."""
    program = list(_PROLOGUE)
    for rule in reversed(rules):
        verdict = _verdict(rule)
        tests = []
        if rule.type in ("b", "c"):
            tests.append((_R2, _BLOCK if rule.type == "b" else _CHARACTER))
        if rule.major is not None:
            tests.append((_R4, rule.major))
        if rule.minor is not None:
            tests.append((_R5, rule.minor))
        for position, (register, value) in enumerate(tests):
            skip = len(tests) - position - 1 + len(verdict)
            program.append(_op(_JUMP_UNLESS_EQUAL, to=register, offset=skip, value=value))
        program += verdict
        if not tests and len(verdict) == len(_answer(0)):
            return b"".join(program)  # it decides everything; the verifier refuses what cannot be reached
    program += _answer(0)
    return b"".join(program)


def attach(cgroup_fd: int, rules: Sequence[DeviceRule]) -> None:
    """Make *rules* the only program of ours on the cgroup; at no moment is there none once there was one.

    The cgroup is one container's own, so every program found on it is an earlier one of these.
    """
    program = _load(assemble(rules))
    try:
        earlier = _attached(cgroup_fd)
        if not earlier:
            _command(_PROG_ATTACH, _attach_attributes(cgroup_fd, program, _ALLOW_MULTI), "attach a device program")
            return
        replaced = _by_id(earlier[0])
        try:
            wanted = _attach_attributes(cgroup_fd, program, _ALLOW_MULTI | _REPLACE, replaced)
            _command(_PROG_ATTACH, wanted, "replace a device program")
        finally:
            os.close(replaced)
        for number in earlier[1:]:
            _detach(cgroup_fd, number)
    finally:
        os.close(program)


def _detach(cgroup_fd: int, number: int) -> None:
    handle = _by_id(number)
    try:
        _command(_PROG_DETACH, _attach_attributes(cgroup_fd, handle, 0), "detach a device program")
    finally:
        os.close(handle)


def _attach_attributes(cgroup_fd: int, program: int, flags: int, replaced: int = 0) -> bytes:
    return struct.pack("=IIIII", cgroup_fd, program, _ATTACH_CGROUP_DEVICE, flags, replaced)


def _load(instructions: bytes) -> int:
    code = ctypes.create_string_buffer(instructions, len(instructions))
    terms = ctypes.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack(
        "=IIQQIIQII16sII",
        _TYPE_CGROUP_DEVICE,
        len(instructions) // 8,
        ctypes.addressof(code),
        ctypes.addressof(terms),
        0,  # no log of the verifier
        0,
        0,
        0,
        0,
        _NAME,
        0,
        _ATTACH_CGROUP_DEVICE,
    )
    return _command(_PROG_LOAD, attributes, "load a device program")


def _attached(cgroup_fd: int) -> list[int]:
    numbers = (ctypes.c_uint32 * _MAX_PROGRAMS)()
    attributes = struct.pack("=IIIIQII", cgroup_fd, _ATTACH_CGROUP_DEVICE, 0, 0, ctypes.addressof(numbers), 0, 0)
    query = bytearray(attributes)
    struct.pack_into("=I", query, 24, _MAX_PROGRAMS)
    _command(_PROG_QUERY, query, "query device programs")
    (count,) = struct.unpack_from("=I", query, 24)
    return list(numbers[:count])


def _by_id(number: int) -> int:
    return _command(_GET_FD_BY_ID, struct.pack("=III", number, 0, 0), f"open device program {number}")


def _command(command: int, attributes: bytes | bytearray, what: str) -> int:
    """bpf(2); every handle it gives is close-on-exec. The kernel writes its answers into *attributes*."""
    buffer = (ctypes.c_char * len(attributes)).from_buffer_copy(attributes)
    answer = syscall(_BPF, command, ctypes.byref(buffer), len(attributes), tried=f"bpf: {what}")
    if isinstance(attributes, bytearray):
        attributes[:] = buffer.raw
    return answer
