"""Text and actions, then the tokens of an action."""

from __future__ import annotations

import re

from havre.cli.gotemplate.errors import ParseError

TEXT, ACTION = "text", "action"
_STRINGS = r'"(?:\\.|[^"\\\n])*"|`[^`]*`|\'(?:\\.|[^\'\\\n])+\''
_BODY = re.compile(rf"\{{\{{(-\s)?((?:{_STRINGS}|/\*.*?\*/|(?!\}}\}}).)*?)(\s-)?\}}\}}", re.DOTALL)
_TOKEN = re.compile(
    rf"(?P<string>{_STRINGS})"
    r"|(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?))"
    r"|(?P<variable>\$\w*)"
    r"|(?P<field>\.\w+)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<sign>:=|=|\||\(|\)|,|\.)"
    r"|(?P<space>\s+)",
)


class Token:
    """A piece of an action; *spaced* tells whether white space stands before it."""

    __slots__ = ("column", "kind", "line", "spaced", "text")

    def __init__(self, kind: str, text: str, line: int, column: int, *, spaced: bool) -> None:
        self.kind, self.text, self.line, self.column, self.spaced = kind, text, line, column, spaced


class Piece:
    """A run of text, or one action with its tokens."""

    __slots__ = ("column", "kind", "line", "text", "tokens")

    def __init__(self, kind: str, text: str, tokens: list[Token], line: int, column: int) -> None:
        self.kind, self.text, self.tokens, self.line, self.column = kind, text, tokens, line, column


def pieces(source: str) -> list[Piece]:
    """Cut *source*; `{{-` and `-}}` trim the text beside them; comments vanish. Raises ParseError."""
    found: list[Piece] = []
    at, trim_next = 0, False
    while True:
        match = _BODY.search(source, at)
        stop = match.start() if match else len(source)
        text = source[at:stop]
        if match is None and "{{" in text:
            raise ParseError(f"template: :{_line(source, at + text.index('{{'))}: unclosed action")
        text = text.lstrip(" \t\r\n") if trim_next else text
        if match and match[1]:
            text = text.rstrip(" \t\r\n")
        if text:
            found.append(Piece(TEXT, text, [], _line(source, at), 0))
        if match is None:
            return found
        at, trim_next = match.end(), bool(match[3])
        body = match[2]
        if not body.strip().startswith("/*"):
            line, column = _line(source, match.start()), _column(source, match.start(2))
            found.append(Piece(ACTION, body, _tokens(body, line, column), line, column))


def _tokens(body: str, line: int, column: int) -> list[Token]:
    found: list[Token] = []
    at, spaced = 0, False
    while at < len(body):
        match = _TOKEN.match(body, at)
        if match is None or match.lastgroup is None:
            raise ParseError(f"template: :{line}: unexpected {_shown(body[at])} in command")
        if match.lastgroup == "space":
            spaced = True
        else:
            found.append(Token(match.lastgroup, match[0], line, column + at, spaced=spaced))
            spaced = False
        at = match.end()
    return found


def _shown(character: str) -> str:
    return f'"{character}"' if character.isprintable() else f"U+{ord(character):04X}"


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1


def _column(source: str, at: int) -> int:
    return at - (source.rfind("\n", 0, at) + 1)
