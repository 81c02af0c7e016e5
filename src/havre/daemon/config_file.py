"""daemon.json: read, checked against the options and against the command line, in Docker's words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias, cast

from havre.base.errors import InvalidInput
from havre.daemon.flags import Given, Value
from havre.daemon.options import BY_KEY, Kind, Option

_LIMIT_BYTES: Final = 1 << 20
FileValue: TypeAlias = "Value | dict[str, FileValue] | list[FileValue] | float | None"
_TYPES: Final[Mapping[Kind, tuple[type, ...]]] = {
    Kind.BOOL: (bool,),
    Kind.TEXT: (str,),
    Kind.INT: (int,),
    Kind.LIST: (list,),
    Kind.MAP: (dict,),
    Kind.BYTES: (str, int),
    Kind.ULIMIT: (dict,),
    Kind.POOL: (list,),
    Kind.RUNTIME: (dict,),
    Kind.DOOR: (list,),
    Kind.OPTIONS: (dict,),
    Kind.OBJECT: (dict,),
}
_UNCHECKED: Final = frozenset(("runtimes",))
"""What may stand in the file and on the command line: both count."""


def read_file(path: Path, given: Given, *, needed: bool) -> dict[str, FileValue]:
    """The keys of the file at *path*; a file that is not there has none unless it is *needed*. Raises InvalidInput."""
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        if not needed:
            return {}
        raise _refusal(path, f"open {path}: no such file or directory") from None
    except OSError as failed:
        raise _refusal(path, f"open {path}: {failed.strerror}") from None
    values = _decode(path, text)
    unknown = sorted(values.keys() - BY_KEY.keys())
    if unknown:
        raise _refusal(path, f"the following directives don't match any configuration option: {', '.join(unknown)}")
    _check_conflicts(path, values, given)
    for key, value in values.items():
        _check_type(path, BY_KEY[key], value)
    return values


def _decode(path: Path, text: bytes) -> dict[str, FileValue]:
    import msgspec  # a file is the exception; the start without one is not slowed down

    if len(text) > _LIMIT_BYTES:
        raise _refusal(path, f"the file is larger than {_LIMIT_BYTES} bytes")
    if not text.strip():
        return {}
    try:
        return cast("dict[str, FileValue]", msgspec.json.decode(text, type=dict[str, object]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as broken:
        raise _refusal(path, str(broken)) from None


def _check_conflicts(path: Path, values: dict[str, FileValue], given: Given) -> None:
    conflicts = [
        f"{key}: (from flag: {_shown(given[flag])}, from file: {_shown(value)})"
        for key, value in sorted(values.items())
        if (flag := BY_KEY[key].flag) in given and key not in _UNCHECKED
    ]
    if conflicts:
        raise _refusal(
            path,
            "the following directives are specified both as a flag and in the configuration file: "
            + ", ".join(conflicts),
        )


def _check_type(path: Path, option: Option, value: FileValue) -> None:
    if value is None:
        return
    wanted = _TYPES[option.kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise _refusal(
            path, f"json: cannot unmarshal {_kind_of(value)} into field {option.key} of type {option.kind.value}"
        )
    if option.kind is Kind.LIST and isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise _refusal(path, f"json: cannot unmarshal an element of field {option.key}: it is no string")


def _kind_of(value: FileValue) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _shown(value: object) -> str:
    """*value* as Go prints it with %v."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{' '.join(map(_shown, value))}]"
        case dict():
            return f"map[{' '.join(f'{key}:{_shown(item)}' for key, item in sorted(value.items()))}]"
        case _:
            return str(value)


def _refusal(path: Path, why: str) -> InvalidInput:
    return InvalidInput(f"unable to configure the Docker daemon with file {path}: {why}")
