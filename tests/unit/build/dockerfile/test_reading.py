from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.instructions import (
    Command,
    Declaration,
    Device,
    InlineFile,
    NetworkMode,
    SecurityMode,
)
from havre.build.dockerfile.nodes import Heredoc, Pair
from havre.build.dockerfile.parser import parse
from havre.build.dockerfile.reading import read


def instruction(text: str) -> typed.Instruction:
    (node,) = parse(text).nodes
    return read(node)


@pytest.mark.parametrize(
    ("text", "kind", "fields"),
    [
        ("FROM a", typed.From, {"image": "a", "name": "", "platform": "", "as_words": ()}),
        (
            "from --platform=$P a as B.c-d_1",
            typed.From,
            {"image": "a", "name": "b.c-d_1", "platform": "$P", "as_words": ("as", "B.c-d_1")},
        ),
        (
            "ARG a b= c='1 2'",
            typed.Arg,
            {"declarations": (Declaration("a"), Declaration("b", ""), Declaration("c", "'1 2'"))},
        ),
        ("ENV a=1 b=2", typed.Env, {"pairs": (Pair("a", "1"), Pair("b", "2"))}),
        ("LABEL a b c", typed.Label, {"pairs": (Pair("a", "b c", legacy=True),)}),
        (
            "RUN --mount=target=$x --network=none --security=insecure --device=a/b=c a b",
            typed.Run,
            {
                "command": Command(("a b",), is_shell=True),
                "mount_flags": ("target=$x",),
                "mounts": (),
                "network": NetworkMode.NONE,
                "security": SecurityMode.INSECURE,
                "devices": (Device("a/b=c"),),
            },
        ),
        ('RUN ["a", "b"]', typed.Run, {"command": Command(("a", "b"), is_shell=False)}),
        (
            "RUN <<E\na\nE",
            typed.Run,
            {"command": Command(("<<E",), is_shell=True, heredocs=(Heredoc("E", content="a\n"),))},
        ),
        ("RUN", typed.Run, {"command": Command((), is_shell=True)}),
        ("CMD a", typed.Cmd, {"command": Command(("a",), is_shell=True)}),
        ("ENTRYPOINT []", typed.Entrypoint, {"command": Command((), is_shell=False)}),
        (
            "COPY --from=a --chown=u:g --chmod=u+x --link --parents=true --exclude=x --exclude=y a b /c/",
            typed.Copy,
            {
                "sources": ("a", "b"),
                "files": (),
                "destination": "/c/",
                "origin": "a",
                "chown": "u:g",
                "chmod": "u+x",
                "link": True,
                "parents": True,
                "excludes": ("x", "y"),
            },
        ),
        (
            "COPY a <<-E <<'F' /d/\n\tx\n\tE\n$y\nF\n",
            typed.Copy,
            {"sources": ("a",), "files": (InlineFile("E", "x\n"), InlineFile("F", "$y\n", expand=False))},
        ),
        ('COPY ["<<E", "b"]', typed.Copy, {"sources": ("<<E",), "files": (), "destination": "b"}),
        ("COPY <<'E /d", typed.Copy, {"sources": ("<<'E",), "files": ()}),
        (
            "ADD --checksum=sha256:a --keep-git-dir --unpack=false --link=false --chown=1 --chmod=755 --exclude=e a b",
            typed.Add,
            {
                "sources": ("a",),
                "destination": "b",
                "checksum": "sha256:a",
                "keep_git_dir": True,
                "unpack": False,
                "link": False,
                "chown": "1",
                "chmod": "755",
                "excludes": ("e",),
            },
        ),
        ("ADD a b", typed.Add, {"keep_git_dir": None, "unpack": None}),
        ("EXPOSE 90 80/udp", typed.Expose, {"ports": ("80/udp", "90")}),
        ('VOLUME [" /a ", "/b"]', typed.Volume, {"paths": ("/a", "/b")}),
        ("USER a:b", typed.User, {"user": "a:b"}),
        ("WORKDIR /a b", typed.Workdir, {"path": "/a b"}),
        ("STOPSIGNAL SIGTERM", typed.StopSignal, {"signal": "SIGTERM"}),
        ('SHELL ["a", "b"]', typed.Shell, {"words": ("a", "b")}),
        ("MAINTAINER A B", typed.Maintainer, {"name": "A B"}),
        ("HEALTHCHECK none", typed.HealthCheck, {"test": ("NONE",)}),
        (
            "HEALTHCHECK --interval=5s --timeout=0 --start-period=1m --start-interval=1ms --retries=3 cmd a  b",
            typed.HealthCheck,
            {
                "test": ("CMD-SHELL", "a  b"),
                "interval_ns": 5 * 10**9,
                "timeout_ns": 0,
                "start_period_ns": 60 * 10**9,
                "start_interval_ns": 10**6,
                "retries": 3,
            },
        ),
        ('HEALTHCHECK CMD ["a", "b"]', typed.HealthCheck, {"test": ("CMD", "a", "b"), "retries": 0}),
        ("onbuild  run a  b", typed.OnBuild, {"trigger": "run a  b"}),
        ("ONBUILD COPY <<E /x\na\nE", typed.OnBuild, {"trigger": "COPY <<E /x\na\nE"}),
    ],
)
def test_instructions(text: str, kind: type, fields: dict[str, Any]) -> None:
    found = instruction(text)
    assert type(found) is kind
    assert {name: getattr(found, name) for name in fields} == fields


def test_an_instruction_says_where_it_was() -> None:
    found = instruction("# one\nRUN a \\\n b")
    assert (found.text, found.location, found.comments) == ("RUN a  b", Location(2, 3), ("one",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RUNN a", "unknown instruction: RUNN (did you mean RUN?)"),
        ("froom a", "unknown instruction: froom (did you mean from?)"),
        ("Copi a", "unknown instruction: Copi (did you mean copy?)"),
        ("BADCMD", "unknown instruction: BADCMD"),
        ("FROM", "FROM requires either one or three arguments"),
        ("FROM a b c", "FROM requires either one or three arguments"),
        (
            "FROM a AS 1b",
            'invalid name for build stage: "1b", name can\'t start with a number or contain symbols',
        ),
        ("FROM --platfrm=a b", "unknown flag: --platfrm (did you mean platform?)"),
        ("ARG", "ARG requires at least one argument"),
        ("ARG =a", "ARG names can not be blank"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV =a", "ENV names can not be blank"),
        ("LABEL =a", "LABEL names can not be blank"),
        ("ENV --a b=c", "unknown flag: --a"),
        ("RUN --mount=from=$a b", "'from' doesn't support variable expansion, define alias stage instead"),
        ("RUN --network=a b", 'invalid network mode "a"'),
        ("RUN --network= b", 'invalid network mode ""'),
        ("RUN --security=a b", 'security "a" is not valid'),
        ("RUN --device=a,b=c d", "unexpected key 'b' in 'b=c'"),
        ("RUN --networ=a b", "unknown flag: --networ (did you mean network?)"),
        ("CMD --a b", "unknown flag: --a"),
        ("ENTRYPOINT --a b", "unknown flag: --a"),
        (
            "COPY a",
            "COPY requires at least two arguments, but only one was provided. Destination could not be determined",
        ),
        (
            "ADD",
            "ADD requires at least two arguments, but only one was provided. Destination could not be determined",
        ),
        ("COPY a <<E\nE", "COPY cannot accept a heredoc as a destination"),
        (
            "COPY --from=$a b c",
            (
                "variable expansion is not supported for --from, "
                "define a new stage with FROM using ARG from global scope as a workaround"
            ),
        ),
        ("COPY --checksum=a b c", "unknown flag: --checksum"),
        ("ADD --from=a b c", "unknown flag: --from"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("EXPOSE --a 80", "unknown flag: --a"),
        ("VOLUME", "VOLUME requires at least one argument"),
        ('VOLUME ["/a", " "]', "VOLUME specified can not be an empty string"),
        ("USER", "USER requires exactly one argument"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("STOPSIGNAL", "STOPSIGNAL requires exactly one argument"),
        ("MAINTAINER", "MAINTAINER requires exactly one argument"),
        ("SHELL", "SHELL requires at least one argument"),
        ("SHELL []", "SHELL requires at least one argument"),
        ("SHELL a", "SHELL requires the arguments to be in JSON form"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK NONE a", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK a b", 'Unknown type "A" in HEALTHCHECK (try CMD)'),
        ("HEALTHCHECK --retry=1 CMD a", "unknown flag: --retry"),
        ("HEALTHCHECK --interval=1 CMD a", 'time: missing unit in duration "1"'),
        ("HEALTHCHECK --timeout=1us CMD a", 'Interval "timeout" cannot be less than 1ms'),
        ("HEALTHCHECK --timeout=-1s CMD a", 'Interval "timeout" cannot be less than 1ms'),
        ("HEALTHCHECK --retries=a CMD a", 'strconv.ParseInt: parsing "a": invalid syntax'),
        ("HEALTHCHECK --retries=-1 CMD a", "--retries cannot be negative (-1)"),
        (
            "HEALTHCHECK --retries=2147483648 CMD a",
            'strconv.ParseInt: parsing "2147483648": value out of range',
        ),
        ("ONBUILD", "ONBUILD requires at least one argument"),
        ("ONBUILD ONBUILD RUN a", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM a", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD maintainer a", "MAINTAINER isn't allowed as an ONBUILD trigger"),
        ("ONBUILD --a RUN b", "unknown flag: --a"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        instruction(text)
    assert caught.value.reason == message
    assert caught.value.location is not None
    assert caught.value.location.first == 1


KEYWORDS = st.sampled_from(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
        "RUM",
    ]
)
REST = st.lists(
    st.sampled_from(["--", "--from=", "--mount=", "a", "=", "AS", '["a"]', "[", "'", '"', "<<E", "$", "CMD", ","]),
    max_size=5,
)


@given(KEYWORDS, REST)
def test_any_instruction_is_read_or_refused_at_its_line(keyword: str, rest: list[str]) -> None:
    try:
        assert instruction(f"{keyword} {' '.join(rest)}\nE\n").location.first == 1
    except DockerfileError as error:
        assert error.location is not None
    except ValueError:  # a second instruction, where the first one has no document
        pass
