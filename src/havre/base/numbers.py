"""Numbers from outside: Python's own `int()` takes `1_000`, `+5`, spaces and any script's digits; these do not."""

from havre.base.errors import InvalidInput

_MAX_DIGITS = 19


def parse_int(text: str, *, what: str, low: int = 0, high: int = 2**63 - 1) -> int:
    """The decimal integer that *text* is, within *low* and *high*. Raises InvalidInput naming *what*."""
    digits = text[1:] if text[:1] == "-" else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        raise InvalidInput(f"invalid {what}: {text[:64]!r} is not a number")
    value = int(text)
    if not low <= value <= high:
        raise InvalidInput(f"invalid {what}: {value} is not between {low} and {high}")
    return value
