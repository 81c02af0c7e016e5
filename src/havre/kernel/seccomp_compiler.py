"""From an OCI seccomp description to a BPF program: a tree over the numbers of the calls, then their conditions.

The verdicts are those of libseccomp as runc drives it. An unconditional rule wins over conditional ones for
the same call; of conditional ones the first that holds wins; a rule that says what the default says anyway is
no rule. Architectures that are not listed are killed.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from havre.base.errors import InvalidInput, NotSupported
from havre.kernel.bpf import JEQ, JGE, JGT, MAX_INSTRUCTIONS, Code
from havre.oci.runtime_spec import Seccomp, SeccompArg, SeccompRule

_KILL_THREAD, _ERRNO, _TRACE = 0x00000000, 0x00050000, 0x7FF00000
_ACTIONS = {
    "SCMP_ACT_KILL": _KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": _KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": _ERRNO,
    "SCMP_ACT_TRACE": _TRACE,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
_PERMISSIVE = {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"}
_MAX_ERRNO = {"SCMP_ACT_ERRNO": 4095, "SCMP_ACT_TRACE": 0xFFFF}
_EPERM, _ENOSYS = 1, 38
_BAD_ARCHITECTURE = _KILL_THREAD

_NR, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data
_WORD = 0xFFFFFFFF
_X32_BIT = 0x40000000
_ARGUMENTS = 6

_OPERATORS = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"}
_NATIVE = {"x86_64", "aarch64"}
_ARCHITECTURES = {
    "SCMP_ARCH_X86_64": "x86_64",
    "SCMP_ARCH_X86": "x86",
    "SCMP_ARCH_X32": "x32",
    "SCMP_ARCH_AARCH64": "aarch64",
    "SCMP_ARCH_ARM": "arm",
}
_FOREIGN = {  # of machines that this program does not run on: their calls can never arrive
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
}
_COLUMNS = ("x86_64", "x86", "x32", "aarch64", "arm")
_AUDIT = {"x86_64": 0xC000003E, "x86": 0x40000003, "aarch64": 0xC00000B7, "arm": 0x40000028}
_WIDE = {_AUDIT["x86_64"], _AUDIT["aarch64"]}

# On i386 these calls can also be made through one number, with the call's own as the first argument: socketcall(2),
# ipc(2). The arguments proper lie in memory there, out of a filter's sight.
_THROUGH_ONE = {
    "socketcall": (
        (
            "socket",
            "bind",
            "connect",
            "listen",
            "accept",
            "getsockname",
            "getpeername",
            "socketpair",
            "send",
            "recv",
            "sendto",
            "recvfrom",
            "shutdown",
            "setsockopt",
            "getsockopt",
            "sendmsg",
            "recvmsg",
            "accept4",
            "recvmmsg",
            "sendmmsg",
        )
    ),
    "ipc": (
        (
            "semop",
            "semget",
            "semctl",
            "semtimedop",
            *(("",) * 6),
            "msgsnd",
            "msgrcv",
            "msgget",
            "msgctl",
            *(("",) * 6),
            "shmat",
            "shmdt",
            "shmget",
            "shmctl",
        )
    ),
}
_MULTIPLEXED = {
    name: (through, number)
    for through, names in _THROUGH_ONE.items()
    for number, name in enumerate(names, start=1)
    if name
}

Conditions = tuple[SeccompArg, ...]
Verdict = int | tuple[tuple[Conditions, int], ...]
"""What happens to one call: an action, or conditions tried in order, then the default."""
Ranges = list[tuple[int, Verdict]]
"""The first number of each range and the verdict on all of it, ascending."""
_Rule = tuple[list[str], int, list[Conditions]]


def compile_program(seccomp: Seccomp, native: str = "", *, newer_is_enosys: bool = True) -> bytes:
    """As `seccomp.compile_filter`."""
    default = _action(seccomp.default_action, seccomp.default_errno_ret)
    newer = _ERRNO | _ENOSYS if newer_is_enosys and seccomp.default_action not in _PERMISSIVE else default
    rules: list[_Rule] = []
    for rule in seccomp.syscalls or ():
        action = _action(rule.action, rule.errno_ret)
        if action != default:
            rules.append((rule.names, action, list(_alternatives(rule))))
    compiler = _Compiler(default)
    sections: dict[int, int] = {}
    tables = {
        architecture: _ranges(_verdicts(architecture, rules), default, newer)
        for architecture in _architectures(seccomp, native or os.uname().machine)
    }
    for audit, ranges in _by_audit_number(tables, default).items():
        sections[audit] = compiler.section(ranges, wide_below=_X32_BIT if audit in _WIDE else 0)
    return compiler.finish(sections)


class _Compiler:
    """Writes the parts of one program; `finish` writes the head and gives it."""

    def __init__(self, default: int) -> None:
        self._code = Code()
        self._default = default
        self._chains: dict[tuple[bool, Verdict], int] = {}

    def section(self, ranges: Ranges, *, wide_below: int) -> int:
        """The tree over *ranges*; calls below *wide_below* have arguments of 64 bits, the others of 32."""
        self._tree(ranges, wide_below)
        return self._code.load(_NR)

    def finish(self, sections: dict[int, int]) -> bytes:
        """Lead each audit architecture to its section, all others to their end."""
        place = self._code.give(_BAD_ARCHITECTURE)
        for audit, section in sections.items():
            place = self._code.branch(JEQ, audit, yes=section, no=place)
        self._code.load(_ARCH)
        program = self._code.assemble()
        if len(program) > MAX_INSTRUCTIONS * 8:
            raise InvalidInput(f"seccomp: {len(program) // 8} instructions are more than {MAX_INSTRUCTIONS}")
        return program

    def _tree(self, ranges: Ranges, wide_below: int) -> int:
        first, verdict = ranges[0]
        if len(ranges) == 1:
            return self._leaf(verdict, wide=first < wide_below)
        if len(ranges) == 3 and ranges[2][1] == verdict and ranges[2][0] - ranges[1][0] == 1:
            number, inner = ranges[1]
            outside = self._leaf(verdict, wide=first < wide_below)
            return self._code.branch(JEQ, number, yes=self._leaf(inner, wide=number < wide_below), no=outside)
        middle = len(ranges) // 2
        right = self._tree(ranges[middle:], wide_below)
        left = self._tree(ranges[:middle], wide_below)
        return self._code.branch(JGE, ranges[middle][0], yes=right, no=left)

    def _leaf(self, verdict: Verdict, *, wide: bool) -> int:
        if isinstance(verdict, int):
            return self._code.give(verdict)
        known = self._chains.get((wide, verdict))
        if known is not None:
            return known
        place = self._code.give(self._default)
        for conditions, action in reversed(verdict):
            otherwise, place = place, self._code.give(action)
            for condition in conditions:
                place = self._condition(condition, place, otherwise, wide=wide)
        self._chains[wide, verdict] = place
        return place

    def _condition(self, condition: SeccompArg, yes: int, no: int, *, wide: bool) -> int:
        operator = condition.op.removeprefix("SCMP_CMP_")
        if operator in {"NE", "LT", "LE"}:
            operator = {"NE": "EQ", "LT": "GE", "LE": "GT"}[operator]
            yes, no = no, yes
        offset = _ARGS + 8 * condition.index  # low word first: both machines are little-endian
        mask, value = _WORD << 32 | _WORD, condition.value
        if operator == "MASKED_EQ":
            mask, value = condition.value, condition.value_two & condition.value
            operator = "EQ"
        test = {"EQ": JEQ, "GE": JGE, "GT": JGT}[operator]
        place = self._code.branch(test, value & _WORD, yes=yes, no=no)
        place = self._code.load(offset, mask & _WORD)
        if not wide or not mask >> 32:
            return place
        place = self._code.branch(JEQ, value >> 32, yes=place, no=no)
        if operator != "EQ":
            place = self._code.branch(JGT, value >> 32, yes=yes, no=place)
        return self._code.load(offset + 4, mask >> 32)


def _by_audit_number(tables: dict[str, Ranges], default: int) -> dict[int, Ranges]:
    """The ranges by architecture as the kernel tells them apart: x32 is a part of x86-64 there."""
    result = {_AUDIT[name]: ranges for name, ranges in tables.items() if name not in {"x86_64", "x32"}}
    if "x86_64" in tables or "x32" in tables:
        bad: Ranges = [(0, _BAD_ARCHITECTURE)]
        low = tables.get("x86_64", bad)
        high = tables.get("x32", [*bad, (_WORD - _X32_BIT, default)])
        joined = [*low, *((start + _X32_BIT, verdict) for start, verdict in high)]
        result[_AUDIT["x86_64"]] = _merged(joined)
    return result


def _ranges(verdicts: dict[int, Verdict], default: int, newer: int) -> Ranges:
    ranges: Ranges = [(0, default)]
    for number in sorted(verdicts):
        ranges.append((number, verdicts[number]))
        ranges.append((number + 1, default))
    if verdicts:
        ranges[-1] = (ranges[-1][0], newer)
    return _merged(ranges)


def _merged(ranges: Ranges) -> Ranges:
    """Without empty ranges, and equal neighbours as one."""
    result: Ranges = []
    for start, verdict in ranges:
        if result and result[-1][0] == start:
            result.pop()
        if not result or result[-1][1] != verdict:
            result.append((start, verdict))
    return result


def _verdicts(architecture: str, rules: list[_Rule]) -> dict[int, Verdict]:
    column = _COLUMNS.index(architecture)
    numbers = _numbers()
    always: dict[int, Verdict] = {}
    sometimes: dict[int, dict[tuple[Conditions, int], None]] = {}
    for names, action, alternatives in rules:
        for name in names:
            for number, extra in _places(name, column, numbers):
                for conditions in alternatives:
                    if extra or conditions:
                        whole = (*extra, *(c for c in conditions if not extra or c.index > 0))
                        sometimes.setdefault(number, {})[whole, action] = None
                    else:
                        always.setdefault(number, action)
    return {number: tuple(chain) for number, chain in sometimes.items()} | always


def _places(name: str, column: int, numbers: dict[str, list[int | None]]) -> Iterator[tuple[int, Conditions]]:
    """The numbers by which *name* is called, with the condition that it is meant; none for an unknown name."""
    row = numbers.get(name)
    if row is not None and (number := row[column]) is not None:
        yield number, ()
    if _COLUMNS[column] == "x86" and name in _MULTIPLEXED:
        through, code = _MULTIPLEXED[name]
        if (number := numbers[through][column]) is not None:
            yield number, (SeccompArg(index=0, value=code),)


def _alternatives(rule: SeccompRule) -> Iterator[Conditions]:
    """The conditions of which one must hold whole.

    A rule that names an argument twice means "or", not "and": that is what runc makes of it, and profiles rely on it.
    """
    conditions = tuple(rule.args or ())
    for condition in conditions:
        operator = condition.op.removeprefix("SCMP_CMP_")
        values_fit = 0 <= condition.value < 2**64 and 0 <= condition.value_two < 2**64
        if not 0 <= condition.index < _ARGUMENTS or not values_fit or operator not in _OPERATORS:
            raise InvalidInput(f"seccomp: no such condition: {condition}")
    if len({condition.index for condition in conditions}) == len(conditions):
        yield conditions
    else:
        yield from ((condition,) for condition in conditions)


def _action(name: str, errno: int | None) -> int:
    if name not in _ACTIONS:
        raise InvalidInput(f"seccomp: unknown action {name!r}")
    limit = _MAX_ERRNO.get(name)
    if limit is None:
        if errno is not None:
            raise InvalidInput(f"seccomp: {name} takes no errnoRet")
        return _ACTIONS[name]
    number = _EPERM if errno is None else errno
    if not 0 <= number <= limit:
        raise InvalidInput(f"seccomp: errnoRet {number} is not between 0 and {limit}")
    return _ACTIONS[name] | number


def _architectures(seccomp: Seccomp, machine: str) -> list[str]:
    if machine not in _NATIVE:
        raise NotSupported(f"seccomp: no tables for {machine}")
    wanted = {machine}
    for name in seccomp.architectures or ():
        if name in _ARCHITECTURES:
            wanted.add(_ARCHITECTURES[name])
        elif name not in _FOREIGN:
            raise InvalidInput(f"seccomp: unknown architecture {name!r}")
    return [name for name in _COLUMNS if name in wanted]


@functools.cache
def _numbers() -> dict[str, list[int | None]]:
    """The number of each call on each architecture of _COLUMNS."""
    raw = Path(__file__).with_name("syscall_numbers.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, list[int | None]])
