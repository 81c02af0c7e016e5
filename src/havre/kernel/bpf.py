"""Classic BPF built from its last instruction to its first, so that every jump leads to what is already there."""

import struct

LOAD, AND, JUMP, JEQ, JGT, JGE, RETURN = 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
MAX_INSTRUCTIONS = 4096

_REACH = 250  # a conditional jump skips 255 at most; the rest is for trampolines
_INSTRUCTION = struct.Struct("=HBBI")


class Code:
    """A program growing towards its beginning. A *place* is an instruction already written, to jump to."""

    def __init__(self) -> None:
        self._instructions: list[tuple[int, int, int, int]] = []  # last one first; jump targets as places
        self._returns: dict[int, int] = {}

    def give(self, verdict: int) -> int:
        """A place near by that returns *verdict*."""
        place = self._returns.get(verdict, 0)
        if not place or len(self._instructions) - place > _REACH // 2:
            place = self._returns[verdict] = self._add(RETURN, verdict)
        return place

    def load(self, offset: int, mask: int = 0xFFFFFFFF) -> int:
        """Load the word at *offset*, masked, and go on with what was written before."""
        if mask != 0xFFFFFFFF:
            self._add(AND, mask)
        return self._add(LOAD, offset)

    def branch(self, test: int, value: int, *, yes: int, no: int) -> int:
        """Go to *yes* when the accumulator passes *test* against *value*, else to *no*."""
        yes, no = self._near(yes), self._near(no)
        return self._add(test, value, self._near(yes), no)

    def go(self, place: int) -> int:
        """Go to *place*, however far; nothing is written when it is the next instruction."""
        if place == len(self._instructions):
            return place
        return self._add(JUMP, len(self._instructions) - place)

    def assemble(self) -> bytes:
        """The program, from its first instruction on."""
        total = len(self._instructions)
        packed = []
        for number, (code, value, yes, no) in enumerate(reversed(self._instructions)):
            after = total - number - 1  # the place of the next instruction
            jumps = (after - yes, after - no) if code in {JEQ, JGT, JGE} else (0, 0)
            packed.append(_INSTRUCTION.pack(code, *jumps, value))
        return b"".join(packed)

    def _near(self, place: int) -> int:
        if len(self._instructions) - place <= _REACH:
            return place
        code, value, *_ = self._instructions[place - 1]
        return self._add(RETURN, value) if code == RETURN else self.go(place)

    def _add(self, code: int, value: int, yes: int = 0, no: int = 0) -> int:
        self._instructions.append((code, value, yes, no))
        return len(self._instructions)
