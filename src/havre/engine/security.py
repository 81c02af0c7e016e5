"""`--security-opt`, `--cap-add` and `--cap-drop`, as values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from havre.base.errors import InvalidInput
from havre.kernel.capabilities import NUMBERS

ALL: Final = "ALL"
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """*seccomp* is `builtin`, `unconfined`, the JSON of a profile, or empty for the engine's default.

    *apparmor* is a profile's name or empty.
    """

    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    open_paths: bool = False
    writable_cgroups: bool = False


def parse_security(options: Iterable[str], *, privileged: bool) -> SecurityOptions:
    """What *options* say; a privileged container has no filter unless it asks for one. Raises InvalidInput."""
    words: dict[str, str] = {}
    for option in options:
        key, value = _split(option)
        words[key] = value
    return SecurityOptions(
        no_new_privileges=_flag(words.get("no-new-privileges", "false"), "no-new-privileges"),
        seccomp=words.get("seccomp") or ("unconfined" if privileged else ""),
        apparmor=words.get("apparmor", ""),
        open_paths=words.get("systempaths") == "unconfined",
        writable_cgroups=_flag(words.get("writable-cgroups", "false"), "writable-cgroups"),
    )


def _split(option: str) -> tuple[str, str]:
    if option == "no-new-privileges":
        return option, "true"
    if option == "disable":
        return "label", "disable"
    separator = "=" if "=" in option else ":"
    key, found, value = option.partition(separator)
    if not found:
        raise InvalidInput(f'invalid --security-opt 1: "{option[:256]}"')
    known = {"label", "apparmor", "seccomp", "no-new-privileges", "writable-cgroups", "systempaths"}
    unknown_paths = key == "systempaths" and value != "unconfined"
    if key not in known or unknown_paths:
        raise InvalidInput(f'invalid --security-opt 2: "{option[:256]}"')
    return key, value


def _flag(text: str, key: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise InvalidInput(f'invalid --security-opt 2: "{key}={text[:64]}"')
    return text in _TRUE


def normal_capabilities(names: Iterable[str], field: str) -> list[str]:
    """`net_admin` as `CAP_NET_ADMIN`; ALL stays. Raises InvalidInput naming *field*."""
    normal: list[str] = []
    for given in names:
        name = given.strip().upper()
        if name != ALL:
            name = name if name.startswith("CAP_") else f"CAP_{name}"
            if name not in NUMBERS:
                raise InvalidInput(f'invalid {field}: unknown capability: "{name[:64]}"')
        if name not in normal:
            normal.append(name)
    return normal


def chosen_capabilities(
    default: Iterable[str], add: Iterable[str], drop: Iterable[str], available: frozenset[str]
) -> list[str]:
    """Docker's rule for a container that is not privileged, within what the engine itself has; sorted by number."""
    adds, drops = set(add), set(drop)
    if ALL in adds:
        chosen = set(available) - drops
    elif ALL in drops:
        chosen = adds
    else:
        chosen = (set(default) - drops) | adds
    return sorted(chosen & available, key=lambda name: NUMBERS.get(name, len(NUMBERS)))
