r"""Quotes, escapes and variables in a Dockerfile's words, as Docker's shell lexer reads them.

`$name`, `${name}` and `${name` with `-w`, `:-w`, `+w`, `:+w`, `?w`, `:?w`, `#p`, `##p`, `%p`, `%%p`, `/p/w` or `//p/w`
and `}`; a word may hold variables again. Single quotes keep all, double quotes let `$` work, the escape sign makes the
next one plain (between double quotes: only `"`, `$` and itself).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.patterns import InvalidPattern, replace, trim_end, trim_start
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.spaces import is_space

_SPECIAL: Final = frozenset("@*#?-$!0")
_MAX_DEPTH: Final = 100
_MODIFIERS: Final = frozenset("+-?#%")


@dataclass(frozen=True, slots=True)
class Expansion:
    """*text* with its variables replaced; the same split into *words*; which names were found and which were not."""

    text: str
    words: tuple[str, ...]
    used: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexer:
    """Which signs a lexer takes away.

    *escape* is the Dockerfile's escape sign; *keep_quotes* and *keep_escapes* leave them in the result; *keep_unset*
    leaves variables that are not set as they were written; with *plain_quotes* a quote is a sign like any other.
    """

    escape: str = "\\"
    keep_quotes: bool = False
    keep_escapes: bool = False
    keep_unset: bool = False
    plain_quotes: bool = False

    def expand(self, text: str, variables: Mapping[str, str]) -> Expansion:
        """Raises DockerfileError for quotes or braces without end, a bad substitution, or what `${name?}` demands."""
        scan = _Scan(self, text, variables)
        try:
            result, words = scan.until("", keep_escapes=self.keep_escapes)
        except _Failure as failure:
            raise DockerfileError(f"failed to process {quoted(text)}: {failure}") from None
        return Expansion(result, tuple(words.finish()), frozenset(scan.used), frozenset(scan.missing))


class _Failure(Exception):
    """A reason, not yet with the text around it."""


@dataclass(slots=True)
class _Words:
    """Words split at white space that came from outside of quotes."""

    done: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        for sign in text:
            if is_space(sign):
                self._end()
            else:
                self.parts.append(sign)

    def add_whole(self, text: str) -> None:
        self.parts.append(text)

    def finish(self) -> list[str]:
        self._end()
        return self.done

    def _end(self) -> None:
        if any(self.parts):
            self.done.append("".join(self.parts))
            self.parts = []


class _Scan:
    """One pass over a text."""

    def __init__(self, lexer: Lexer, text: str, variables: Mapping[str, str]) -> None:
        self._lexer = lexer
        self._text = text
        self._variables = variables
        self._at = 0
        self._depth = 0
        self._keep_escapes = lexer.keep_escapes
        self.used: set[str] = set()
        self.missing: set[str] = set()

    def until(self, stop: str, *, keep_escapes: bool) -> tuple[str, _Words]:
        """What comes before the sign *stop*, which is taken; with an empty *stop*, all of it."""
        if self._depth > _MAX_DEPTH:
            raise _Failure("variables are nested too deeply")
        before, self._keep_escapes = self._keep_escapes, keep_escapes
        self._depth += 1
        out: list[str] = []
        words = _Words()
        while (sign := self._peek()) and sign != stop:
            out.append(self._piece(sign, words))
        self._depth -= 1
        self._keep_escapes = before
        if stop and not self._take():
            raise _Failure(f"unexpected end of statement while looking for matching {stop}")
        return "".join(out), words

    def _piece(self, sign: str, words: _Words) -> str:
        if sign == "$":
            text = self._dollar()
            words.add(text)
            return text
        if sign in "'\"" and not self._lexer.plain_quotes:
            text = self._single() if sign == "'" else self._double()
            words.add_whole(text)
            return text
        if sign == "<":
            text = self._heredoc_mark()
            words.add_whole(text)
            return text
        self._at += 1
        if sign != self._lexer.escape:
            words.add(sign)
            return sign
        kept = sign if self._keep_escapes else ""
        text = kept + self._take()
        words.add_whole(text)
        return text

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        sign = self._peek()
        self._at += 1
        return sign

    def _heredoc_mark(self) -> str:
        """`<`, or `<<` or `<<-` with the spaces behind it, so that `<< EOF` stays one word."""
        start = self._at
        self._at += 1
        if self._peek() == "<":
            self._at += 1
            self._at += self._peek() == "-"
            while self._peek() in {" ", "\t", "\r"}:
                self._at += 1
        return self._text[start : self._at]

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise _Failure("unexpected end of statement while looking for matching single-quote")
        whole = self._text[self._at : end + 1]
        self._at = end + 1
        return whole if self._lexer.keep_quotes else whole[1:-1]

    def _double(self) -> str:
        quote = '"' if self._lexer.keep_quotes else ""
        self._at += 1
        out = [quote]
        while (sign := self._peek()) != '"':
            if not sign:
                raise _Failure("unexpected end of statement while looking for matching double-quote")
            if sign == "$":
                out.append(self._dollar())
                continue
            self._at += 1
            out.append(self._escaped_in_quotes() if sign == self._lexer.escape else sign)
        self._at += 1
        return "".join([*out, quote])

    def _escaped_in_quotes(self) -> str:
        escape = self._lexer.escape
        kept = escape if self._keep_escapes else ""
        if self._peek() in {'"', "$", escape}:
            return kept + self._take()
        return kept + (escape if self._peek() else "")

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._value(name)
            return f"${name}" if value is None and self._lexer.keep_unset else value or ""
        self._at += 1
        if not self._peek():
            raise _Failure("syntax error: missing '}'")
        if self._peek() in "{}:":
            raise _Failure("syntax error: bad substitution")
        return self._braced(self._name())

    def _braced(self, name: str) -> str:
        sign = self._take()
        if sign == "}":
            value = self._value(name)
            return f"${{{name}}}" if value is None and self._lexer.keep_unset else value or ""
        if not sign:
            raise _Failure("syntax error: missing '}'")
        if sign == "/":
            return self._replaced(name)
        colon = ":" if sign == ":" else ""
        sign = self._take() if colon else sign
        if not colon and sign not in _MODIFIERS:
            raise _unsupported(sign)
        if colon and sign in {"#", "%"}:
            raise _unsupported(colon + sign)
        word = self._inner("}", "syntax error: missing '}'", keep_escapes=sign in {"#", "%"})
        value = self._value(name)
        if value is None and self._lexer.keep_unset:
            return f"${{{name}{colon}{sign}{word}}}"
        modify = _MODIFY.get(sign)
        if modify is None:
            raise _unsupported(colon + sign)
        return modify(name, value, word, colon)

    def _replaced(self, name: str) -> str:
        every = self._peek() == "/"
        self._at += every
        pattern = self._inner("/", "syntax error: missing '/' in ${}", keep_escapes=True)
        word = self._inner("}", "syntax error: missing '}'", keep_escapes=True)
        value = self._value(name)
        if value is None and self._lexer.keep_unset:
            return f"${{{name}{'//' if every else '/'}{pattern}/{word}}}"
        try:
            return replace(value or "", pattern, word, every=every)
        except InvalidPattern as invalid:
            raise _invalid(pattern, invalid) from None

    def _inner(self, stop: str, unfinished: str, *, keep_escapes: bool) -> str:
        try:
            return self.until(stop, keep_escapes=keep_escapes)[0]
        except _Failure:
            if self._at < len(self._text):
                raise
            raise _Failure(unfinished) from None

    def _name(self) -> str:
        start = self._at
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        elif first in _SPECIAL:
            self._at += 1
        else:
            while (sign := self._peek()) and (sign.isalpha() or sign.isdecimal() or sign == "_"):
                self._at += 1
        return self._text[start : self._at]

    def _value(self, name: str) -> str | None:
        value = self._variables.get(name)
        (self.missing if value is None else self.used).add(name)
        return value


def _default(_name: str, value: str | None, word: str, colon: str) -> str:
    return word if value is None or (colon and not value) else value


def _alternative(_name: str, value: str | None, word: str, colon: str) -> str:
    return "" if value is None or (colon and not value) else word


def _demanded(name: str, value: str | None, word: str, colon: str) -> str:
    if value is None:
        raise _Failure(f"{name}: {word or 'is not allowed to be unset'}")
    if colon and not value:
        raise _Failure(f"{name}: {word or 'is not allowed to be empty'}")
    return value


def _trimmed(sign: str, trim: Callable[..., str]) -> Callable[[str, str | None, str, str], str]:
    def modify(_name: str, value: str | None, word: str, _colon: str) -> str:
        longest = word.startswith(sign)
        pattern = word[1:] if longest else word
        try:
            return trim(value or "", pattern, longest=longest)
        except InvalidPattern as invalid:
            raise _invalid(pattern, invalid) from None

    return modify


_MODIFY: Final[Mapping[str, Callable[[str, str | None, str, str], str]]] = {
    "-": _default,
    "+": _alternative,
    "?": _demanded,
    "#": _trimmed("#", trim_start),
    "%": _trimmed("%", trim_end),
}


def _unsupported(modifier: str) -> _Failure:
    return _Failure(f"unsupported modifier ({modifier}) in substitution")


def _invalid(pattern: str, reason: InvalidPattern) -> _Failure:
    return _Failure(f"invalid pattern ({pattern}) in substitution: {reason}")
