"""The eBPF of device rules, run by a small interpreter against a plain model of what the rules mean."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from havre.kernel.cgroups.device_program import assemble
from havre.kernel.cgroups.writes import normal_rules
from havre.oci.runtime_spec import DeviceRule

BITS = {"m": 1, "r": 2, "w": 4}
MASK = (1 << 64) - 1


def run(program: bytes, kind: int, access: int, major: int, minor: int) -> int:
    """The instructions that we use, as the kernel executes them; jumps go forward only."""
    context = struct.pack("<III", access << 16 | kind, major, minor)
    registers = [0] * 11
    counter = 0
    while True:
        code, packed, offset, value = struct.unpack_from("<BBhi", program, counter * 8)
        to, of = packed & 15, packed >> 4
        counter += 1
        match code:
            case 0x61:
                (registers[to],) = struct.unpack_from("<I", context, offset)
            case 0xBF:
                registers[to] = registers[of]
            case 0xB7:
                registers[to] = value & MASK
            case 0x57:
                registers[to] &= value & MASK
            case 0x77:
                registers[to] >>= value
            case 0x05 | 0x55 | 0x45:
                taken = code == 0x05 or (
                    registers[to] != value & MASK if code == 0x55 else bool(registers[to] & value & MASK)
                )
                assert offset >= 0
                counter += offset if taken else 0
            case 0x95:
                return registers[0]
            case _:
                raise AssertionError(f"instruction {code:#x}")


def permitted(rules: list[DeviceRule], kind: str, access: str, major: int, minor: int) -> bool:
    """Each kind of access is as the last rule about it says; without one it is refused."""

    def one(letter: str) -> bool:
        for rule in reversed(rules):
            about_kind = rule.type in ("a", "", kind)
            about_major = rule.major is None or rule.major < 0 or rule.major == major
            about_minor = rule.minor is None or rule.minor < 0 or rule.minor == minor
            if about_kind and about_major and about_minor and letter in rule.access:
                return rule.allow
        return False

    return all(one(letter) for letter in access)


ACCESS = st.sets(st.sampled_from("rwm"), min_size=1).map(lambda letters: "".join(sorted(letters)))
NUMBER = st.sampled_from([None, -1, 1, 3, 8])
RULE = st.builds(
    DeviceRule, allow=st.booleans(), type=st.sampled_from("abc"), major=NUMBER, minor=NUMBER, access=ACCESS
)


@given(
    rules=st.lists(RULE, max_size=8),
    kind=st.sampled_from("bc"),
    access=ACCESS,
    major=st.sampled_from([1, 3, 8, 4095]),
    minor=st.sampled_from([1, 3, 8, (1 << 20) - 1]),
)
def test_the_program_means_what_the_rules_mean(
    rules: list[DeviceRule], kind: str, access: str, major: int, minor: int
) -> None:
    program = assemble(normal_rules(rules))
    bits = sum(BITS[letter] for letter in access)
    verdict = run(program, 1 if kind == "b" else 2, bits, major, minor)
    assert bool(verdict) == permitted(rules, kind, access, major, minor)


def test_golden() -> None:
    program = assemble(normal_rules([DeviceRule(allow=True, type="c", major=1, minor=3, access="rwm")]))
    assert [program[i : i + 8].hex() for i in range(0, len(program), 8)] == [
        "6112000000000000",
        "bf23000000000000",
        "57020000ffff0000",
        "7703000010000000",
        "6114040000000000",
        "6115080000000000",
        "5502040002000000",
        "5504030001000000",
        "5505020003000000",
        "b700000001000000",
        "9500000000000000",
        "b700000000000000",
        "9500000000000000",
    ]
