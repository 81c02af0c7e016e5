"""What all inspect commands share: several names, JSON or a template, found ones printed even when others fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from havre.cli.each import shown_error
from havre.cli.gotemplate.errors import ParseError
from havre.cli.screen import Screen
from havre.client.errors import ApiError, ClientError

_BAD_TEMPLATE = 64
Find = Callable[[str], object]


def inspect_all(names: Sequence[str], find: Find, form: str, screen: Screen) -> int:
    """Print each document that *find* gives; 1 when one was not found, 64 for a bad template."""
    try:
        render = _renderer(form)
    except ParseError as error:
        screen.error(f"template parsing error: {error}")
        return _BAD_TEMPLATE
    found, errors = [], []
    for name in names:
        try:
            found.append(find(name))
        except ClientError as error:
            errors.append(shown_error(error) if isinstance(error, ApiError) else str(error))
    if render is None:
        screen.line(_array(found))
    else:
        for document in found:
            screen.line(render(document))
    if errors:
        screen.error("\n".join(errors))
    return 1 if errors else 0


def _renderer(form: str) -> Callable[[object], str] | None:
    if not form:
        return None
    if form == "json":
        return _compact
    from havre.cli.gotemplate.errors import ExecError
    from havre.cli.gotemplate.template import Template
    from havre.cli.listing import unescaped

    template = Template(unescaped(form))

    def render(document: object) -> str:
        try:
            return template.render(document)
        except ExecError as error:
            raise ClientError(f"template parsing error: {error}") from None

    return render


def _array(documents: Sequence[object]) -> str:
    import json

    if not documents:
        return "[]"
    return json.dumps(list(documents), indent=4, ensure_ascii=False)


def _compact(document: object) -> str:
    import json

    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
