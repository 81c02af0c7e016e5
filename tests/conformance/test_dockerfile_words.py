"""Quotes, escapes and variables: the same words to Docker's classic builder and to Havre's reader.

Known and wanted differences, where Havre does as BuildKit does: an ARG sees the names before it in its own line, and an
ARG without a value leaves the one that it had.
"""

from __future__ import annotations

import json
import random

import pytest

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.expansion import expand
from havre.build.dockerfile.instructions import Arg, Env
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.scope import Scope
from havre.build.dockerfile.settings import Settings
from havre.oci.image_config import ProcessConfig
from tests.support.engines import Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

# What both know: Docker 20.10 has no patterns in variables and no `${name?}`.
PIECES = ["$A", "${B}", "$E", "${U}", "${U:-w}", "${A:-w}", "${E:+w}", "${A:+$B}", "${U:-${B:-x}}", "'$A'", '"$B"']
PIECES += [
    "\\$A",
    "\\\\",
    '\\"',
    "' '",
    '"a  b"',
    "\\ ",
    "$",
    "$.",
    "$1x",
    "a",
    "é",
    '"\\$A\\x"',
    '"it\'s"',
    "''",
    '""',
    "=",
    "#",
    "<",
]
TRICKY = [
    "$A$B",
    "${A}x",
    "$A_x",
    "${U:-}",
    '"${U:-"w"}"',
    "'a'\"b\"c",
    '"\\\\"',
    "${U:-'$A'}",
    "$$A",
    "a\\tb",
    '"a\\tb"',
]
HEAD = "FROM debian\nARG A=arg\nENV A='a  a' B=\"b\" E=\n"


def expressions(count: int) -> list[str]:
    """*count* words that Havre accepts, always the same ones."""
    chance = random.Random(20)
    found: list[str] = [*TRICKY, *PIECES]
    while len(found) < count:
        found.append("".join(chance.choices(PIECES, k=chance.randint(1, 5))))
    return [text for text in found if ours(f"ENV X={text}") is not None]


def ours(text: str) -> dict[str, str] | None:
    """The environment after *text*; None where it is refused."""
    try:
        program = read_text(f"{HEAD}{text}\n")
        settings = Settings.inherit(ProcessConfig())
        scope = Scope(env=settings.env, escape=program.escape)
        for one in program.stages[0].instructions:
            if isinstance(one, Arg):
                scope = scope.declare(one)
                continue
            instruction = expand(one, scope.variables, program.escape).instruction
            scope = scope.define(instruction) if isinstance(instruction, Env) else scope
            settings = settings.apply(instruction)
    except DockerfileError:
        return None
    return settings.env


def theirs(reference: Reference, text: str, name: str) -> dict[str, str]:
    done = reference.docker("build", "-q", "-t", name, "-", stdin=f"{HEAD}{text}\n".encode())
    assert done.returncode == 0, done.stderr
    env: list[str] = json.loads(reference.out("image", "inspect", "-f", "{{json .Config.Env}}", name))
    return dict(entry.partition("=")[::2] for entry in env)


def test_environments(reference: Reference) -> None:
    reference.docker("tag", "busybox", "debian", check=True)
    words = expressions(400)
    assert len(words) > 250
    text = "ENV " + " ".join(f"K{number}={word}" for number, word in enumerate(words))
    found = ours(text)
    assert found is not None
    expected = theirs(reference, text, "words")
    different = [(word, found.get(f"K{n}"), expected.get(f"K{n}")) for n, word in enumerate(words)]
    assert [one for one in different if one[1] != one[2]] == []


@pytest.mark.parametrize("word", ["'$A", '"$A', "${A", "${}", "${A:x}", "$A'"])
def test_what_both_refuse(reference: Reference, word: str) -> None:
    reference.docker("tag", "busybox", "debian", check=True)
    assert ours(f"ENV X={word}") is None
    assert reference.docker("build", "-q", "-", stdin=f"{HEAD}ENV X={word}\n".encode()).returncode == 1


@pytest.mark.parametrize(
    "text",
    [
        "ENV C=env\nARG C=arg\nENV X=$C",
        "ARG C=arg\nENV C=env\nENV X=$C",
        "ARG C=1\nENV Y=$C\nARG C=2\nENV X=$C",
        "ARG C=$D\nARG D=2\nENV X=$C Y=$D",
        "ARG C=\nENV X=${C:-empty}",
        "ARG C\nENV X=${C:-empty}",
        "ENV C=1 D=$C\nENV E=$C$D",
        'ENV C one  two # three\nENV D="$C"',
        "ENV PATH=/x:$PATH",
        "ARG PATH=/y\nENV X=$PATH",
    ],
)
def test_args_and_environments(reference: Reference, text: str) -> None:
    reference.docker("tag", "busybox", "debian", check=True)
    assert ours(text) == theirs(reference, text, "args")
