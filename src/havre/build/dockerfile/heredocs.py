"""Here-documents: `<<name`, `<<-name`, `3<<"name"`, in RUN, COPY and ADD."""

import re
from collections.abc import Mapping
from typing import Final

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.nodes import Heredoc
from havre.build.dockerfile.shell_words import Lexer

_HEREDOC: Final = re.compile(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)", re.ASCII)
_NOTHING: Final[Mapping[str, str]] = {}
_PLAIN: Final = Lexer(keep_unset=True)
_QUOTES_KEPT: Final = Lexer(keep_unset=True, keep_quotes=True)
_ALL_KEPT: Final = Lexer(keep_unset=True, keep_quotes=True, keep_escapes=True)
_MAX_DESCRIPTOR_DIGITS: Final = 9


def read_heredoc(word: str) -> Heredoc | None:
    """The document that *word* announces, its content still empty; None where it announces none."""
    found = _HEREDOC.fullmatch(word)
    if found is None or not found[3]:
        return None
    names = _PLAIN.expand(found[3], _NOTHING).words
    if len(names) != 1:
        return None
    kept = "".join(_QUOTES_KEPT.expand(found[3], _NOTHING).words)
    digits = found[1][:_MAX_DESCRIPTOR_DIGITS]
    return Heredoc(
        name=names[0],
        descriptor=int(digits) if digits else 0,
        expand=_quotes(names[0]) == _quotes(kept),
        chomp=bool(found[2]),
    )


def heredocs_of(line: str) -> list[Heredoc]:
    """The documents that *line* announces, in their order; none where its quotes do not end."""
    if "<<" not in line:
        return []
    try:
        words = _ALL_KEPT.expand(line, _NOTHING).words
    except DockerfileError:
        return []
    return [heredoc for word in words if (heredoc := read_heredoc(word)) is not None]


def _quotes(word: str) -> int:
    return word.count("'") + word.count('"')
