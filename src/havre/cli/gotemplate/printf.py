"""fmt.Sprintf for the verbs that templates use: %s %v %+v %d %q %x %X %o %b %c %t %f %e %g %U %T and %%."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from havre.cli.gotemplate.values import show

_VERB = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+))?([a-zA-Z%])")
_MISSING = object()


def printf(form: str, args: Sequence[object]) -> str:
    """Format like Go: a missing argument is `%!v(MISSING)`, one too many is told at the end."""
    left = list(args)

    def one(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if width == "*":
            width = str(left.pop(0)) if left else ""
        value = left.pop(0) if left else _MISSING
        if value is _MISSING:
            return f"%!{verb}(MISSING)"
        text = _format(verb, flags, precision, value)
        return _padded(text, flags, int(width or 0))

    done = _VERB.sub(one, form)
    if left:
        done += "%!(EXTRA " + ", ".join(f"{_kind(item)}={show(item)}" for item in left) + ")"
    return done


def _format(verb: str, flags: str, precision: str | None, value: object) -> str:
    if verb in "sv":
        text = show(value)
        return text[: int(precision)] if precision is not None and verb == "s" else text
    if verb == "q":
        return json.dumps(show(value), ensure_ascii=False)
    if verb == "t" and isinstance(value, bool):
        return show(value)
    if verb == "T":
        return _kind(value)
    if verb in "dxXobcU" and isinstance(value, int) and not isinstance(value, bool):
        return _whole(verb, flags, value)
    if verb in "xX" and isinstance(value, str):
        digits = value.encode().hex()
        return digits.upper() if verb == "X" else digits
    if verb in "feEgG" and isinstance(value, int | float):
        return f"{float(value):{'+' if '+' in flags else ''}.{precision or 6}{verb}}"
    return f"%!{verb}({_kind(value)}={show(value)})"


def _whole(verb: str, flags: str, value: int) -> str:
    if verb == "c":
        return chr(value)
    if verb == "U":
        return f"U+{value:04X}"
    return f"{value:{'+' if '+' in flags else ''}{'#' if '#' in flags else ''}{verb}}"


def _padded(text: str, flags: str, width: int) -> str:
    if "-" in flags:
        return text.ljust(width)
    return text.zfill(width) if "0" in flags else text.rjust(width)


def _kind(value: object) -> str:
    names = {str: "string", bool: "bool", int: "int", float: "float64", list: "[]interface {}"}
    return names.get(type(value), "map[string]interface {}")
