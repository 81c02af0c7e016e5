"""White space as Docker's own programs understand it (Go's `unicode.IsSpace`), which is not Python's."""

from typing import Final

SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SET: Final = frozenset(SPACES)


def is_space(sign: str) -> bool:
    """Whether *sign* separates words."""
    return sign in _SET


def strip(text: str) -> str:
    """*text* without white space at its ends."""
    return text.strip(SPACES)


def strip_left(text: str) -> str:
    """*text* without white space at its beginning."""
    return text.lstrip(SPACES)


def first_word(text: str) -> tuple[str, str]:
    """The first word of *text*, which begins with none of the spaces, and the rest behind the spaces that follow."""
    for position, sign in enumerate(text):
        if sign in _SET:
            return text[:position], strip_left(text[position:])
    return text, ""
