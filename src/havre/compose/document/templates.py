"""Variables in values: `$NAME`, `${NAME}`, and the operators `:-` `-` `:?` `?` `:+` `+`, nested."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_MAX_DEPTH = 50
_MAX_RESULT = 1 << 20


class TemplateError(ValueError):
    """The text is no template, or a variable that it needs is missing."""


class Variable(Struct, frozen=True):
    """`${name operator operand}`; the operator is empty without one."""

    name: str
    operator: str = ""
    operand: Template = ()


Template = tuple[str | Variable, ...]


def parse(text: str) -> Template:
    """The parts of *text*. Raises TemplateError."""
    return _parts(text, 0, "", 0)[0]


def substitute(template: Template, values: Mapping[str, str], missing: set[str] | None = None) -> str:
    """The text with its variables replaced; names without value or default are added to *missing*.

    Raises TemplateError for a required variable, and where the result grows beyond a mebibyte.
    """
    made = "".join(part if isinstance(part, str) else _value(part, values, missing) for part in template)
    if len(made) > _MAX_RESULT:
        raise TemplateError("the value is longer than a mebibyte once its variables are replaced")
    return made


def variables(template: Template) -> Iterator[Variable]:
    """Every variable of *template*, those in defaults included."""
    for part in template:
        if isinstance(part, Variable):
            yield part
            yield from variables(part.operand)


def shown(template: Template) -> str:
    """The template as a text again."""
    return "".join(
        part.replace("$", "$$") if isinstance(part, str) else f"${{{part.name}{part.operator}{shown(part.operand)}}}"
        for part in template
    )


def _value(variable: Variable, values: Mapping[str, str], missing: set[str] | None) -> str:
    value = values.get(variable.name)
    counts = value is not None and (value != "" or not variable.operator.startswith(":"))
    match variable.operator.removeprefix(":"):
        case "-":
            return value if counts and value is not None else substitute(variable.operand, values, missing)
        case "+":
            return substitute(variable.operand, values, missing) if counts else ""
        case "?" if not counts:
            reason = substitute(variable.operand, values, missing)
            raise TemplateError(
                f"required variable {variable.name} is missing a value" + (f": {reason}" if reason else "")
            )
    if value is None and missing is not None:
        missing.add(variable.name)
    return value or ""


def _parts(text: str, at: int, stop: str, depth: int) -> tuple[Template, int]:
    """Parts from *at* up to the character *stop* (or the end), and where they end."""
    if depth > _MAX_DEPTH:
        raise TemplateError("variables nested too deep")
    parts: list[str | Variable] = []
    plain = ""
    while at < len(text) and (not stop or text[at] != stop):
        if text[at] != "$":
            end = next((i for i in range(at, len(text)) if text[i] == "$" or text[i] == stop), len(text))
            plain, at = plain + text[at:end], end
        elif text[at + 1 : at + 2] == "$":
            plain, at = plain + "$", at + 2
        else:
            if plain:
                parts.append(plain)
            plain = ""
            variable, at = _variable(text, at + 1, depth)
            parts.append(variable)
    if plain:
        parts.append(plain)
    return tuple(parts), at


def _variable(text: str, at: int, depth: int) -> tuple[Variable, int]:
    braced = text[at : at + 1] == "{"
    found = _NAME.match(text, at + braced)
    if found is None:
        raise TemplateError(f"invalid interpolation format: {text!r}; write $$ for a plain $")
    name, at = found.group(), found.end()
    if not braced:
        return Variable(name), at
    operator = next((one for one in _OPERATORS if text.startswith(one, at)), "")
    operand: Template = ()
    if operator:
        operand, at = _parts(text, at + len(operator), "}", depth + 1)
    if text[at : at + 1] != "}":
        raise TemplateError(f"invalid interpolation format: {text!r}; write $$ for a plain $")
    return Variable(name, operator, operand), at + 1
