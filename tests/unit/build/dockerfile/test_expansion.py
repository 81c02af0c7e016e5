from __future__ import annotations

from typing import Any

import pytest

from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.expansion import expand
from havre.build.dockerfile.instructions import InlineFile, Mount
from havre.build.dockerfile.nodes import Pair
from havre.build.dockerfile.program import read_text

VALUES = {"a": "A", "b": "B B"}


def instruction(text: str) -> typed.StageInstruction:
    return read_text(f"FROM x\n{text}").stages[0].instructions[0]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("ENV $a=$b c=\"$b\" d='$a'", {"pairs": (Pair("A", "B B"), Pair("c", "B B"), Pair("d", "$a"))}),
        ("LABEL a=$a", {"pairs": (Pair("a", "A"),)}),
        (
            "COPY --from=s --chown=$a --chmod=$a --exclude=$a $a/x /$b",
            {
                "sources": ("A/x",),
                "destination": "/B B",
                "chown": "A",
                "chmod": "A",
                "origin": "s",
                "excludes": ("$a",),
            },
        ),
        (
            "COPY <<E <<'F' /d/\n$a 'x' \\$a \\\\\nE\n$a\nF",
            {"files": (InlineFile("E", "A 'x' $a \\\n"), InlineFile("F", "$a\n", expand=False))},
        ),
        ("ADD --checksum=$a $a /$a", {"sources": ("A",), "destination": "/A", "checksum": "A"}),
        ("RUN --mount=target=/$a echo $a", {"mounts": (Mount(target="/A"),)}),
        ("EXPOSE $p 90", {"ports": ("80", "81", "90")}),
        ("VOLUME /$a", {"paths": ("/A",)}),
        ("USER $a", {"user": "A"}),
        ("WORKDIR /$b/c", {"path": "/B B/c"}),
        ("STOPSIGNAL $a", {"signal": "A"}),
        ("CMD $a", {"command": typed.Command(("$a",), is_shell=True)}),
        ("HEALTHCHECK CMD $a", {"test": ("CMD-SHELL", "$a")}),
        ("ARG x=$a", {"declarations": (typed.Declaration("x", "$a"),)}),
        ("ONBUILD ENV x=$a", {"trigger": "ENV x=$a"}),
        ('SHELL ["$a"]', {"words": ("$a",)}),
    ],
)
def test_fields(text: str, fields: dict[str, Any]) -> None:
    found = expand(instruction(text), {**VALUES, "p": "80 81"}).instruction
    assert {name: getattr(found, name) for name in fields} == fields


def test_names() -> None:
    expanded = expand(instruction("COPY $a $c /${d:-x}"), VALUES)
    assert (set(expanded.used), set(expanded.missing)) == ({"a"}, {"c", "d"})


def test_the_escape_sign() -> None:
    found = expand(instruction("ENV a=`$a b=\\$a"), VALUES, "`").instruction
    assert isinstance(found, typed.Env)
    assert [pair.value for pair in found.pairs] == ["$a", "\\A"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ENV a=${x?no}", 'failed to process "${x?no}": x: no'),
        ("RUN --mount=type=x a", 'unsupported mount type "x"'),
    ],
)
def test_errors_have_a_place(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        expand(instruction(text), VALUES)
    assert (caught.value.reason, caught.value.location) == (reason, Location(2, 2))
