"""Compiled system call filters, kept in memory: compiling takes a hundred times longer than a look into a table."""

from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread
from havre.engine.host import HostFacts
from havre.kernel.seccomp import compile_filter
from havre.oci.runtime_spec import Seccomp
from havre.runtime import defaults

_KEPT = 256
_Key = tuple[str, tuple[str, ...]]


class Filters:
    """BPF programs by profile and capabilities."""

    def __init__(self, facts: HostFacts, default: str = "builtin") -> None:
        self._default = default
        self._machine = facts.machine
        self._kernel = defaults.kernel_version(facts.kernel)
        self._programs: dict[_Key, bytes] = {}

    async def program(self, profile: str, capabilities: list[str]) -> bytes:
        """The filter of *profile* (`builtin`, `unconfined`, JSON, or empty for the engine's default).

        No filter is an empty program. Raises InvalidInput.
        """
        profile = profile or self._default
        if profile == "unconfined":
            return b""
        key = (profile, tuple(capabilities))
        known = self._programs.get(key)
        if known is None:
            known = await in_thread(self._compile, profile, capabilities)
            if len(self._programs) >= _KEPT:
                self._programs.clear()
            self._programs[key] = known
        return known

    def rules(self, profile: str, capabilities: list[str]) -> Seccomp | None:
        """The same filter as a list of rules, for a runtime that compiles it itself; None is no filter."""
        profile = profile or self._default
        if profile == "unconfined":
            return None
        parsed = defaults.default_profile() if profile == "builtin" else defaults.parse_profile(profile.encode())
        return defaults.resolve(parsed, capabilities, self._machine, self._kernel)

    def _compile(self, profile: str, capabilities: list[str]) -> bytes:
        rules = self.rules(profile, capabilities)
        try:
            return compile_filter(rules) if rules is not None else b""
        except KeyError as unknown:
            raise InvalidInput(f"seccomp profile names something unknown: {unknown}") from unknown


def check_profile(profile: str) -> None:
    """Raises InvalidInput for a profile that is none."""
    if profile not in {"", "builtin", "unconfined"}:
        defaults.parse_profile(profile.encode())
