"""Lists in every form of `--format`: a table, a table of a template, JSON lines, or a template a row."""

from __future__ import annotations

from havre.cli.screen import Screen
from havre.cli.tables import clean, table
from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Row:
    """One thing of a list: its placeholders by name, each made when asked for.

    *type_name* is what Go's templates call it in errors.
    """

    __slots__ = ("_columns", "type_name")

    def __init__(self, columns: Mapping[str, Callable[[], object] | str], type_name: str) -> None:
        self._columns, self.type_name = columns, type_name

    def field(self, name: str) -> object:
        """A placeholder's text, or a method for templates to call. Raises KeyError."""
        found = self._columns[name]
        if isinstance(found, str) or name == "Label":
            return found
        return found()

    def as_json(self) -> dict[str, object]:
        """Every placeholder as text, by name."""
        return {name: self.field(name) for name in sorted(self._columns) if name != "Label"}

    def __str__(self) -> str:
        return "{" + " ".join(str(self.field(name)) for name in self._columns if name != "Label") + "}"


class Listing:
    """What a listing command knows: the headers of its placeholders and its default columns."""

    __slots__ = ("_default", "_headers", "_type_name")

    def __init__(self, headers: Mapping[str, str], default: Sequence[str], type_name: str) -> None:
        self._headers, self._default, self._type_name = headers, default, type_name

    def print(self, rows: Iterable[Row], form: str, screen: Screen) -> None:
        """Print *rows* as *form* asks. Raises ClientError for a template that does not parse or fit."""
        if form in ("", "table"):
            self._table(rows, [f"{{{{.{name}}}}}" for name in self._default], screen)
        elif form.startswith("table "):
            cells = unescaped(form.removeprefix("table ").strip()).split("\t")
            self._table(rows, cells, screen)
        elif form == "json":
            import json

            for row in rows:
                screen.line(json.dumps(row.as_json(), separators=(",", ":"), ensure_ascii=False))
        else:
            for line in rendered(unescaped(form), list(rows)):
                screen.line(line)

    def _table(self, rows: Iterable[Row], cells: Sequence[str], screen: Screen) -> None:
        plain = [cell[3:-2] for cell in cells if cell.startswith("{{.") and cell[3:-2] in self._headers]
        held = list(rows)
        lines: list[list[str]]
        if len(plain) == len(cells):  # the usual table needs no template engine
            lines = [[self._headers[name] for name in plain]]
            lines += [[clean(str(row.field(name))) for name in plain] for row in held]
        else:
            head = Row({name: title for name, title in self._headers.items() if name != "Label"}, self._type_name)
            rendered_cells = [rendered(cell, [head, *held], heading=True) for cell in cells]
            lines = [[clean(cell) for cell in row] for row in zip(*rendered_cells, strict=True)]
        for line in table(lines):
            screen.line(line)


def rendered(source: str, values: Sequence[object], *, heading: bool = False) -> list[str]:
    """*source* run on each value; with *heading* the first is the row of titles, where functions of values fail."""
    from havre.cli.gotemplate.errors import ExecError, ParseError
    from havre.cli.gotemplate.template import Template

    try:
        template = Template(source)
    except ParseError as error:
        raise ClientError(f"failed to parse template: {error}") from None
    made = []
    for position, value in enumerate(values):
        try:
            made.append(template.render(value))
        except ExecError as error:
            if heading and position == 0:
                made.append("")
                continue
            raise ClientError(f"failed to execute template: {error}") from None
    return made


def unescaped(form: str) -> str:
    r"""`\t` and `\n` written as two characters are what they mean."""
    return form.replace("\\t", "\t").replace("\\n", "\n")
