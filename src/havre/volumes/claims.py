"""Who needs which volume. Nothing here does I/O."""


class Claims:
    """Names, each with those who claim it: whoever claims it twice counts once."""

    def __init__(self) -> None:
        self._claimants: dict[str, set[str]] = {}

    def add(self, name: str, claimant: str) -> None:
        """*claimant* needs *name* from now on."""
        self._claimants.setdefault(name, set()).add(claimant)

    def discard(self, name: str, claimant: str) -> bool:
        """*claimant* needs it no more; whether that was the last one. Who did not claim it changes nothing."""
        claimants = self._claimants.get(name, set())
        if claimant not in claimants:
            return False
        claimants.remove(claimant)
        if claimants:
            return False
        del self._claimants[name]
        return True

    def of(self, name: str) -> frozenset[str]:
        """Who claims it."""
        return frozenset(self._claimants.get(name, ()))
