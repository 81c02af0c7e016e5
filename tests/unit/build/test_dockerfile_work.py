"""Reading costs work in proportion to the text, whatever it says: lines of Python that run are counted, not time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.ignore import Ignore
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.run_flags import parse_mount
from havre.build.dockerfile.shell_words import Lexer

SMALL, LARGE = 300, 1200


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python *work* runs; what it raises for bad input is part of it."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except DockerfileError:
        pass
    finally:
        sys.settrace(before)
    return count


def expand(text: str) -> Callable[[], object]:
    return lambda: Lexer().expand(text, {"a": "b" * 50})


TEXTS: dict[str, Callable[[int], Callable[[], object]]] = {
    "instructions": lambda n: lambda: read_text("FROM a\n" + "RUN b\n" * n),
    "continuations": lambda n: lambda: read_text("FROM a\nRUN " + "b \\\n# c\n\n" * n),
    "comments": lambda n: lambda: read_text("# a\n" * n + "FROM a"),
    "long words": lambda n: lambda: read_text("FROM a\nRUN " + "b" * 100 * n),
    "pairs": lambda n: lambda: read_text("FROM a\nENV " + "b='c d' " * n),
    "open quotes": lambda n: lambda: read_text("FROM a\nENV b=" + "'\" \\" * n),
    "escapes": lambda n: lambda: read_text("FROM a\nENV b=" + "\\ " * n),
    "flags": lambda n: lambda: read_text("FROM a\nRUN " + "--mount=target=/b " * n),
    "flags without end": lambda n: lambda: read_text("FROM a\nRUN " + "--a'" * n),
    "heredocs": lambda n: lambda: read_text("FROM a\nRUN " + "<<b " * n + "\n" + "b\n" * n),
    "heredocs without end": lambda n: lambda: read_text("FROM a\nRUN " + "<<b " * n + "\nb\n"),
    "a long heredoc": lambda n: lambda: read_text("FROM a\nCOPY <<b /\n" + "\tc\n" * n + "b\n"),
    "nested triggers": lambda n: lambda: read_text("FROM a\n" + "ONBUILD " * n),
    "brackets": lambda n: lambda: read_text("FROM a\nONBUILD COPY " + "[" * n),
    "json": lambda n: lambda: read_text("FROM a\nRUN [" + '"b",' * n + '"c"]'),
    "variables": lambda n: expand("$a${a:-b}" * n),
    "nested variables": lambda n: expand("${x:-" * n),
    "lone signs": lambda n: expand("$ < \\" * n),
    "patterns": lambda n: expand("${a#" + "*b" * n + "c}"),
    "replacements": lambda n: expand("${a//" + "?" * n + "/c}"),
    "mounts": lambda n: lambda: parse_mount(",".join(["target=/a"] * n)),
    "ignored paths": lambda n: lambda: Ignore.read("a/*\n" * n).ignores("a/b"),
    "stars": lambda n: lambda: Ignore.read("*a" * n).ignores("a" * 100),
    "classes": lambda n: lambda: Ignore.read("[a-" * n).ignores("a"),
    "deep stars": lambda n: lambda: Ignore.read("**/a/" * n).ignores("a"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_work_grows_with_the_text_and_no_faster(name: str) -> None:
    work = TEXTS[name]
    lines_run(work(1))
    small, large = lines_run(work(SMALL)), lines_run(work(LARGE))
    assert large < small * (LARGE / SMALL) * 1.2 + 1000
