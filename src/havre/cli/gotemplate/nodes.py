"""The tree of a parsed template."""

from __future__ import annotations


class Text:
    """Bytes to copy."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Expression:
    """What has a value and a place in the source."""

    __slots__ = ("column", "line", "source")

    def __init__(self, line: int, column: int, source: str) -> None:
        self.line, self.column, self.source = line, column, source


class Literal(Expression):
    """A constant."""

    __slots__ = ("value",)

    def __init__(self, line: int, column: int, source: str, value: object) -> None:
        super().__init__(line, column, source)
        self.value = value


class Dot(Expression):
    """The current value."""


class Variable(Expression):
    """`$` or `$name`."""


class Chain(Expression):
    """Fields of a base: `.A.B`, `$x.A`, `(pipeline).A`."""

    __slots__ = ("base", "fields")

    def __init__(self, line: int, column: int, source: str, base: Expression, fields: list[str]) -> None:
        super().__init__(line, column, source)
        self.base, self.fields = base, fields


class Function(Expression):
    """A function by its name, not yet called."""


class Command(Expression):
    """An operand, or a function or method with its arguments."""

    __slots__ = ("words",)

    def __init__(self, line: int, column: int, source: str, words: list[Expression]) -> None:
        super().__init__(line, column, source)
        self.words = words


class Pipeline(Expression):
    """Commands, each given the value of the one before as its last argument; *names* are assigned."""

    __slots__ = ("commands", "declares", "names")

    def __init__(
        self, line: int, column: int, source: str, commands: list[Command], names: list[str], *, declares: bool
    ) -> None:
        super().__init__(line, column, source)
        self.commands, self.names, self.declares = commands, names, declares


class Output:
    """`{{pipeline}}`: print its value, unless it only assigns."""

    __slots__ = ("pipeline",)

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline


class Block:
    """`if`, `range` or `with`: what to do when there is something, and when there is nothing."""

    __slots__ = ("body", "kind", "otherwise", "pipeline")

    def __init__(self, kind: str, pipeline: Pipeline, body: list[object], otherwise: list[object]) -> None:
        self.kind, self.pipeline, self.body, self.otherwise = kind, pipeline, body, otherwise


class Leave:
    """`break` or `continue`."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind
