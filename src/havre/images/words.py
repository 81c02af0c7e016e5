"""Words of a Dockerfile line: splitting, quotes, `$name` and `${name}`, JSON lists.

Quotes and backslashes work as in Docker's own shell lexer: single quotes keep all, double quotes let `$` work.
"""

import re
from collections.abc import Mapping

import msgspec

from havre.base.errors import InvalidInput

_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^{}]*))?\})", re.ASCII)


def split_words(text: str) -> list[str]:
    """The words of *text*, quotes and backslashes still in them."""
    words: list[str] = []
    word = ""
    quote = ""
    position = 0
    while position < len(text):
        sign = text[position]
        if sign == "\\" and quote != "'" and position + 1 < len(text):
            word += text[position : position + 2]
            position += 2
            continue
        if sign in "'\"" and quote in {"", sign}:
            quote = "" if quote else sign
        if sign in " \t" and not quote:
            words += [word] if word else []
            word = ""
        else:
            word += sign
        position += 1
    return [*words, word] if word else words


def unquote(word: str, variables: Mapping[str, str]) -> str:
    """*word* without its quotes, `$name` replaced by what *variables* say, or by nothing."""
    out: list[str] = []
    quote = ""
    position = 0
    while position < len(word):
        sign = word[position]
        if quote == "'":
            quote = "" if sign == "'" else quote
            out += [] if sign == "'" else [sign]
            position += 1
        elif sign == "\\" and position + 1 < len(word):
            keeps = quote == '"' and word[position + 1] not in '"$\\'
            out.append(word[position : position + 2] if keeps else word[position + 1])
            position += 2
        elif sign in "'\"" and quote in {"", sign}:
            quote = "" if quote else sign
            position += 1
        elif sign == "$" and (found := _VARIABLE.match(word, position)):
            out.append(_value(found, variables))
            position = found.end()
        else:
            out.append(sign)
            position += 1
    if quote:
        kind = "single" if quote == "'" else "double"
        shown = word[:100].replace("\\", "\\\\").replace('"', '\\"')
        raise InvalidInput(
            f'failed to process "{shown}": unexpected end of statement while looking for matching {kind}-quote'
        )
    return "".join(out)


def json_list(text: str) -> list[str] | None:
    """The strings of a JSON list; None where *text* is none (and means a shell's line)."""
    if not text.startswith("["):
        return None
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def key_values(instruction: str, text: str, variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """`a=b "c d"=e`, or the old form `name rest of the line`. Raises InvalidInput."""
    words = split_words(text)
    if not words:
        raise InvalidInput(f"{instruction} requires at least one argument")
    if "=" not in words[0]:
        name, _, rest = text.strip().partition(" ")
        if not rest.strip():
            raise InvalidInput(f"{instruction} must have two arguments")
        return [(unquote(name, variables), unquote(rest.strip(), variables))]
    pairs: list[tuple[str, str]] = []
    for word in words:
        if "=" not in word:
            raise InvalidInput(f"Syntax error - can't find = in {word[:100]!r}. Must be of the form: name=value")
        name, _, value = word.partition("=")
        pairs.append((unquote(name, variables), unquote(value, variables)))
    if any(not name for name, _ in pairs):
        raise InvalidInput(f"{instruction} names can not be blank")
    return pairs


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    plain, braced, sign, other = found.groups()
    value = variables.get(plain or braced, "")
    if sign == "-":
        return value or other
    if sign == "+":
        return other if value else ""
    return value
