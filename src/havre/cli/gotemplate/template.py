"""One template, parsed once and run on many values."""

from __future__ import annotations

from havre.cli.gotemplate.parser import parse
from havre.cli.gotemplate.run import execute


class Template:
    """Raises ParseError when *source* is no template; `render` raises ExecError when it does not fit the data."""

    __slots__ = ("_nodes",)

    def __init__(self, source: str) -> None:
        self._nodes = parse(source)

    def render(self, data: object) -> str:
        """The text made of *data*: dicts, lists, strings, numbers, or an object with `field(name)`."""
        return execute(self._nodes, data)
