"""Keeps out of the launcher what the modules that it imports bring along and it never uses.

A page of the launcher is copied, or mapped anew, with each fork, unmapped with each execve, and counted in the memory
of each container that outlives the next one's start. msgspec alone would bring two megabytes that only schemas,
generated classes and other formats need. Imported first, for its effect.
"""

import sys
from types import ModuleType

_ABSENT = ("typing_extensions",)  # msgspec then takes the names from typing
_HOLLOW = ("msgspec.inspect", "msgspec.toml", "msgspec.yaml", "msgspec._json_schema")


class _Hollow(ModuleType):
    """A module in which every name is there and nothing behind it."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


for _name in _ABSENT:
    sys.modules[_name] = None  # type: ignore[assignment]  # what import takes for "there is none"
for _name in _HOLLOW:
    sys.modules[_name] = _Hollow(_name)
