"""Pieces to a tree: control structures by recursive descent, pipelines by the grammar of text/template."""

from __future__ import annotations

import json

from havre.cli.gotemplate.errors import ParseError
from havre.cli.gotemplate.functions import FUNCTIONS
from havre.cli.gotemplate.lexer import TEXT, Piece, Token, pieces
from havre.cli.gotemplate.nodes import (
    Block,
    Chain,
    Command,
    Dot,
    Expression,
    Function,
    Leave,
    Literal,
    Output,
    Pipeline,
    Text,
    Variable,
)

_BLOCKS = ("if", "range", "with")
_CONSTANTS: dict[str, object] = {"true": True, "false": False, "nil": None}


def parse(source: str) -> list[object]:
    """The nodes of *source*. Raises ParseError in Go's words."""
    reader = _Reader(pieces(source))
    nodes, end = reader.nodes()
    if end is not None:
        raise ParseError(f"template: :{end.line}: unexpected {{{{{end.tokens[0].text}}}}}")
    return nodes


class _Reader:
    def __init__(self, found: list[Piece]) -> None:
        self._pieces = found
        self._at = 0

    def nodes(self) -> tuple[list[object], Piece | None]:
        """Nodes up to an `end` or `else` of an outer block, which is given back."""
        nodes: list[object] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            word = piece.tokens[0].text if piece.tokens and piece.tokens[0].kind == "word" else ""
            if piece.kind == TEXT:
                nodes.append(Text(piece.text))
            elif word in ("end", "else"):
                return nodes, piece
            elif word in _BLOCKS:
                nodes.append(self._block(word, piece, piece.tokens[1:]))
            elif word in ("break", "continue"):
                nodes.append(Leave(word))
            else:
                nodes.append(Output(_Action(piece, piece.tokens).pipeline("command")))
        return nodes, None

    def _block(self, kind: str, piece: Piece, tokens: list[Token]) -> Block:
        pipeline = _Action(piece, tokens).pipeline(kind)
        body, end = self.nodes()
        otherwise: list[object] = []
        if end is not None and end.tokens[0].text == "else":
            rest = end.tokens[1:]
            if rest and rest[0].text in _BLOCKS:  # `else if` is an `if` of its own that ends with ours
                return Block(kind, pipeline, body, [self._block(rest[0].text, end, rest[1:])])
            otherwise, end = self.nodes()
        if end is None:
            raise ParseError(f"template: :{piece.line}: unexpected EOF")
        return Block(kind, pipeline, body, otherwise)


class _Action:
    """The tokens of one action, read once from left to right."""

    def __init__(self, piece: Piece, tokens: list[Token]) -> None:
        self._piece, self._tokens, self._at = piece, tokens, 0

    def pipeline(self, what: str) -> Pipeline:
        names, declares = self._declaration()
        found = self._commands(what)
        if self._at < len(self._tokens):
            raise self._error(f"unexpected {self._tokens[self._at].text!r} in {what}")
        first = found[0]
        return Pipeline(first.line, first.column, self._piece.text.strip(), found, names, declares=declares)

    def _declaration(self) -> tuple[list[str], bool]:
        names: list[str] = []
        at = 0
        while at < len(self._tokens) and self._tokens[at].kind == "variable":
            names.append(self._tokens[at].text)
            sign = self._tokens[at + 1].text if at + 1 < len(self._tokens) else ""
            if sign in (":=", "="):
                self._at = at + 2
                return names, sign == ":="
            if sign != ",":
                break
            at += 2
        return [], False

    def _commands(self, what: str) -> list[Command]:
        found = [self._command(what)]
        while self._peek() == "|":
            self._at += 1
            found.append(self._command(what))
        return found

    def _command(self, what: str) -> Command:
        words: list[Expression] = []
        start = self._tokens[self._at] if self._at < len(self._tokens) else None
        while self._at < len(self._tokens) and self._peek() not in ("|", ")"):
            words.append(self._operand())
        if not words or start is None:
            raise self._error(f"missing value for {what}")
        source = " ".join(word.source for word in words)
        return Command(start.line, start.column, source, words)

    def _operand(self) -> Expression:
        token = self._tokens[self._at]
        self._at += 1
        base = self._base(token)
        fields: list[str] = [token.text[1:]] if token.kind == "field" else []
        source = base.source
        while self._at < len(self._tokens):
            following = self._tokens[self._at]
            if following.kind != "field" or following.spaced:
                break
            fields.append(following.text[1:])
            source += following.text
            self._at += 1
        if not fields:
            return base
        return Chain(token.line, token.column, source, base, fields)

    def _base(self, token: Token) -> Expression:
        place = (token.line, token.column, token.text)
        match token.kind:
            case "field":
                return Dot(*place)
            case "variable":
                return Variable(*place)
            case "string":
                return Literal(*place, _string(token.text))
            case "number":
                return Literal(*place, _number(token.text))
            case "word":
                return self._word(token)
            case _ if token.text == ".":
                return Dot(*place)
            case _ if token.text == "(":
                inner = self._commands("parenthesized pipeline")
                if self._peek() != ")":
                    raise self._error("unclosed left paren")
                self._at += 1
                return Pipeline(*place, inner, [], declares=False)
            case _:
                raise self._error(f"unexpected {token.text!r} in operand")

    def _word(self, token: Token) -> Expression:
        place = (token.line, token.column, token.text)
        if token.text in _CONSTANTS:
            return Literal(*place, _CONSTANTS[token.text])
        if token.text not in FUNCTIONS:
            raise self._error(f'function "{token.text}" not defined')
        return Function(*place)

    def _peek(self) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token.text if token is not None and token.kind == "sign" else ""

    def _error(self, message: str) -> ParseError:
        return ParseError(f"template: :{self._piece.line}: {message}")


def _string(text: str) -> object:
    if text[0] == "`":
        return text[1:-1]
    if text[0] == "'":
        return ord(str(json.loads(f'"{text[1:-1]}"')))
    try:
        return json.loads(text)
    except ValueError:
        return text[1:-1]


def _number(text: str) -> object:
    try:
        return int(text, 0)
    except ValueError:
        return float(text)
