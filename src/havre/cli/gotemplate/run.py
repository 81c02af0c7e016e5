"""Run a parsed template on a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from havre.cli.gotemplate.errors import ExecError
from havre.cli.gotemplate.functions import FUNCTIONS, is_true
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
from havre.cli.gotemplate.values import show

_NOTHING = object()


class _Leaving(Exception):
    pass


def execute(nodes: list[object], data: object) -> str:
    """The text that the template makes of *data*. Raises ExecError in Go's words."""
    runner = _Runner(data)
    runner.run(nodes, data)
    return "".join(runner.out)


class _Runner:
    def __init__(self, data: object) -> None:
        self.out: list[str] = []
        self._variables: list[tuple[str, object]] = [("$", data)]

    def run(self, nodes: list[object], dot: object) -> None:
        for node in nodes:
            match node:
                case Text():
                    self.out.append(node.text)
                case Output():
                    value = self._pipeline(node.pipeline, dot)
                    if not node.pipeline.names:
                        self.out.append(show(value))
                case Block():
                    mark = len(self._variables)
                    self._block(node, dot)
                    del self._variables[mark:]
                case Leave():
                    raise _Leaving(node.kind)
                case _:
                    raise TypeError(f"no node of a template: {node!r}")

    def _block(self, node: Block, dot: object) -> None:
        if node.kind == "range":
            self._range(node, dot)
            return
        value = self._pipeline(node.pipeline, dot)
        if is_true(value):
            self.run(node.body, value if node.kind == "with" else dot)
        else:
            self.run(node.otherwise, dot)

    def _range(self, node: Block, dot: object) -> None:
        names, node_pipeline = node.pipeline.names, node.pipeline
        value = self._commands(node_pipeline, dot)
        pairs = self._pairs(value, node_pipeline.commands[0])
        if not pairs:
            self.run(node.otherwise, dot)
            return
        mark = len(self._variables)
        for key, item in pairs:
            if len(names) == 2:
                self._variables.append((names[0], key))
            if names:
                self._variables.append((names[-1], item))
            try:
                self.run(node.body, item)
            except _Leaving as leaving:
                if str(leaving) == "break":
                    return
            finally:
                del self._variables[mark:]

    def _pairs(self, value: object, place: Expression) -> list[tuple[object, object]]:
        if value is None:
            return []
        if isinstance(value, Mapping):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        raise _error(place, f"range can't iterate over {show(value)}")

    def _pipeline(self, pipeline: Pipeline, dot: object) -> object:
        value = self._commands(pipeline, dot)
        for name in pipeline.names:
            if pipeline.declares:
                self._variables.append((name, value))
            else:
                self._assign(name, value, pipeline)
        return value

    def _commands(self, pipeline: Pipeline, dot: object) -> object:
        value: object = _NOTHING
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        return value

    def _assign(self, name: str, value: object, place: Expression) -> None:
        for index in range(len(self._variables) - 1, -1, -1):
            if self._variables[index][0] == name:
                self._variables[index] = (name, value)
                return
        raise _error(place, f"undefined variable: {name}")

    def _command(self, command: Command, dot: object, before: object) -> object:
        first, *others = command.words
        args = [self._value(word, dot) for word in others]
        if before is not _NOTHING:
            args.append(before)
        if isinstance(first, Function):
            return self._call(FUNCTIONS[first.source], args, first)
        if isinstance(first, Chain):
            return self._chain(first, dot, args)
        if args:
            raise _error(first, f"can't give argument to non-function {first.source}")
        return self._value(first, dot)

    def _value(self, word: Expression, dot: object) -> object:
        match word:
            case Literal():
                return word.value
            case Dot():
                return dot
            case Variable():
                return self._variable(word)
            case Chain():
                return self._chain(word, dot, [])
            case Pipeline():
                return self._pipeline(word, dot)
            case Function():
                return self._call(FUNCTIONS[word.source], [], word)
            case _:
                raise _error(word, "unexpected operand")

    def _variable(self, word: Expression) -> object:
        for name, value in reversed(self._variables):
            if name == word.source:
                return value
        raise _error(word, f"undefined variable: {word.source}")

    def _chain(self, chain: Chain, dot: object, args: list[object]) -> object:
        value = self._value(chain.base, dot)
        for position, name in enumerate(chain.fields):
            value = self._field(value, name, chain)
            last = position == len(chain.fields) - 1
            if callable(value):
                value = self._call(value, args if last else [], chain)
            elif last and args:
                raise _error(chain, f"{name} has arguments but cannot be invoked as function")
        return value

    def _field(self, value: object, name: str, place: Expression) -> object:
        if isinstance(value, Mapping):
            key = name if name in value else _in_json(name, value)
            if key is None:
                raise _error(place, f'map has no entry for key "{name}"')
            return value[key]
        if value is None:
            raise _error(place, f"nil pointer evaluating interface {{}}.{name}")
        getter = getattr(value, "field", None)
        if getter is None:
            raise _error(place, f"can't evaluate field {name} in type {_go_type(value)}")
        try:
            return getter(name)
        except KeyError:
            type_name = str(getattr(value, "type_name", "interface {}"))
            raise _error(place, f"can't evaluate field {name} in type {type_name}") from None

    def _call(self, function: Callable[..., object], args: list[object], place: Expression) -> object:
        try:
            return function(*args)
        except (TypeError, ValueError, IndexError) as error:
            raise _error(place, f"error calling {place.source}: {error}") from error


def _error(place: Expression, message: str) -> ExecError:
    return ExecError(f'template: :{place.line}:{place.column}: executing "" at <{place.source}>: {message}')


def _in_json(name: str, value: Mapping[str, object]) -> str | None:
    """The key of what Docker's own types call *name*: `ID` is `Id`, `APIVersion` is `ApiVersion`."""
    if not any(one.isupper() and other.isupper() for one, other in pairwise(name)):
        return None  # the two differ by runs of capitals only
    return next((key for key in value if key[:1].isupper() and key.lower() == name.lower()), None)


def _go_type(value: object) -> str:
    return {str: "string", bool: "bool", int: "int", float: "float64"}.get(type(value), "interface {}")
