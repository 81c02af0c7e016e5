"""Patterns as sets of places: the places reached are the bits of one integer.

A text of n signs costs n steps whatever the pattern, so no pattern can make the engine slow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Automaton:
    """A pattern of *size* places; each mask has the bits of the places that it speaks of.

    A sign moves on from the places in `takes[sign]`, from those in *any_sign* unless it is the *barrier*, and from
    those of *classes* whose test accepts it. Places in *stars* also stay for every sign but the barrier, those in
    *rests* for every sign. Places in *doors* can be passed, together with the one behind them, for no sign at all.
    """

    size: int
    barrier: str
    takes: Mapping[str, int] = field(default_factory=dict)
    any_sign: int = 0
    classes: tuple[tuple[Callable[[str], bool], int], ...] = ()
    stars: int = 0
    rests: int = 0
    doors: int = 0

    def start(self) -> int:
        """The places reached before the first sign."""
        return self._pass_doors(1)

    def is_done(self, state: int) -> bool:
        """Whether the end of the pattern is reached."""
        return bool(state >> self.size & 1)

    def after(self, state: int, sign: str) -> int:
        """The places reached behind *sign*; 0 once no text can match any more."""
        takes = self.takes.get(sign, 0)
        stays = self.rests
        if sign != self.barrier:
            takes |= self.any_sign
            stays |= self.stars
            for accepts, mask in self.classes:
                takes |= mask if accepts(sign) else 0
        return self._pass_doors((state & takes) << 1 | (state & stays))

    def matches(self, text: str) -> bool:
        """Whether the whole *text* matches."""
        state = self.start()
        for sign in text:
            if not state:
                return False
            state = self.after(state, sign)
        return self.is_done(state)

    def _pass_doors(self, state: int) -> int:
        passed = state & self.doors
        return state | passed << 1 | passed << 2
