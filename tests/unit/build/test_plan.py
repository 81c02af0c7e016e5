"""Dockerfiles become graphs: what is needed, on what, with which words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.origins import ContextOrigin, ImageOrigin, StageOrigin
from havre.build.dockerfile.parser import decode
from havre.build.graph import CopyOperation, FolderOperation, RunOperation, SentFiles
from tests.support.planned import plan, shown

FOLDER = Path(__file__).parents[2] / "golden" / "dockerfile"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile"))
WRITE = bool(os.environ.get("HAVRE_UPDATE_GOLDEN"))
EVERYTHING = frozenset({"network.host", "security.insecure"})


@pytest.mark.parametrize("name", NAMES)
def test_graph(name: str) -> None:
    """After a wanted change: HAVRE_UPDATE_GOLDEN=1 pytest, then read the diff."""
    text = decode((FOLDER / name / "Dockerfile").read_bytes())
    try:
        found = shown(plan(text, allowed=EVERYTHING))
    except DockerfileError as error:
        found = f"{error.message}\n"
    path = FOLDER / name / "graph.json"
    if WRITE:
        path.write_text(found)
    assert found == path.read_text()


def test_only_what_the_target_needs_is_planned() -> None:
    text = "FROM a AS one\nRUN x\nFROM b AS two\nRUN y\nFROM c AS three\nCOPY --from=one /f /f\n"
    assert list(plan(text).stages) == [0, 2]
    assert list(plan(text, target="two").stages) == [1]
    assert plan(text).stages[2].needs == {0}


def test_a_run_knows_the_environment_above_it() -> None:
    text = 'FROM a\nARG V=1\nENV E=$V\nUSER u:g\nWORKDIR w\nSHELL ["sh", "-xc"]\nRUN echo\n'
    operation = plan(text, {"V": "2"}).stages[0].steps[-1].operation
    assert isinstance(operation, RunOperation)
    assert operation.argv == ("sh", "-xc", "echo")
    assert operation.env == ("V=2", "PATH=/bin", "FROM_BASE=1", "E=2")
    assert (operation.user, operation.working_dir) == ("u:g", "/base/w")


def test_proxies_reach_the_command_but_not_what_it_is_known_by() -> None:
    text = "FROM a\nRUN x\n"
    with_proxy, without = plan(text, {"http_proxy": "p"}), plan(text)
    operation = with_proxy.stages[0].steps[0].operation
    assert isinstance(operation, RunOperation)
    assert operation.secret_env == ("http_proxy=p",)
    assert with_proxy.digests() == without.digests()
    declared = plan("FROM a\nARG http_proxy\nRUN x\n", {"http_proxy": "p"})
    assert declared.digests() != plan("FROM a\nARG http_proxy\nRUN x\n", {"http_proxy": "q"}).digests()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("x", "/base/x"),
        ("x/", "/base/x/"),
        (".", "/base/"),
        ("./", "/base/"),
        ("/", "/"),
        ("/a/../b", "/b"),
        ("/a/.", "/a/"),
    ],
)
def test_destinations(written: str, meant: str) -> None:
    operation = plan(f"FROM a\nCOPY f {written}\n").stages[0].steps[0].operation
    assert isinstance(operation, CopyOperation)
    assert operation.destination == meant
    assert operation.origin == SentFiles()


def test_where_files_come_from() -> None:
    text = (
        "FROM a AS one\nFROM b\nCOPY --from=one x /\nCOPY --from=0 x /\nCOPY --from=img:1 x /\nCOPY --from=ctx x /\n"
        "RUN --mount=type=bind,from=one,target=/m --mount=type=cache,target=/c true\n"
    )
    steps = plan(text, contexts={"ctx": "sent://x"}).stages[1].steps
    origins = [step.operation.origin for step in steps if isinstance(step.operation, CopyOperation)]
    assert origins == [StageOrigin(0), StageOrigin(0), ImageOrigin("img:1"), ContextOrigin("ctx")]
    run = steps[-1].operation
    assert isinstance(run, RunOperation)
    assert run.mounts[0].origin == StageOrigin(0)


def test_a_named_context_can_be_an_image() -> None:
    graph = plan("FROM base\nRUN x\n", contexts={"base": "docker-image://alpine:3"})
    assert graph.stages[0].base == ImageOrigin("alpine:3")


def test_triggers_come_first_and_are_gone_then() -> None:
    stage = plan("FROM some-onbuild\nRUN own\n").stages[0]
    assert [step.text for step in stage.steps] == ["RUN echo triggered", "COPY . /built", "RUN own"]
    assert stage.steps[-1].settings.process.on_build is None


def test_triggers_may_need_stages_and_images() -> None:
    graph = plan("FROM a AS tools\nFROM onbuild-from\n")
    assert graph.stages[1].needs == {0}
    assert [step.text for step in graph.stages[1].steps] == ["COPY --from=tools /t /t", "COPY --from=other-image /o /o"]
    below = plan("FROM a AS tools\nFROM b AS base\nONBUILD COPY --from=tools /t /t\nFROM base\n")
    assert below.stages[2].needs == {0, 1}


def test_labels_of_the_command_line_come_last() -> None:
    steps = plan("FROM a\nLABEL x=1\n", labels={"x": "2"}).stages[0].steps
    assert steps[-1].settings.process.labels == {"x": "2"}


def test_working_folders_are_made_for_the_user() -> None:
    operation = plan("FROM a\nWORKDIR x\n").stages[0].steps[0].operation
    assert operation == FolderOperation(path="/base/x", user="app")


@pytest.mark.parametrize("flag", ["--network=host", "--security=insecure"])
def test_what_needs_a_grant(flag: str) -> None:
    with pytest.raises(DockerfileError, match="is not allowed"):
        plan(f"FROM a\nRUN {flag} x\n")
    assert plan(f"FROM a\nRUN {flag} x\n", allowed=EVERYTHING).total == 2


FIELDS = [
    ("RUN a", "RUN b"),
    ("RUN a", 'RUN ["a"]'),
    ("RUN a", "RUN --network=none a"),
    ("RUN a", "RUN --security=insecure a"),
    ("RUN a", "RUN --mount=type=tmpfs,target=/t a"),
    ("RUN --mount=type=tmpfs,target=/t a", "RUN --mount=type=tmpfs,target=/t,size=1k a"),
    ("RUN --mount=type=cache,target=/t a", "RUN --mount=type=cache,target=/t,uid=5 a"),
    ("RUN --mount=type=secret,id=x a", "RUN --mount=type=secret,id=y a"),
    ("RUN a", "USER x\nRUN a"),
    ("RUN a", "WORKDIR /x\nRUN a"),
    ("RUN a", "ENV X=1\nRUN a"),
    ("RUN a", "ARG X=1\nRUN a"),
    ("ENV X=1\nRUN a", "ENV X=2\nRUN a"),
    ("RUN <<E\na\nE", "RUN <<E\nb\nE"),
    ("COPY a /x", "COPY b /x"),
    ("COPY a /x", "COPY a /y"),
    ("COPY a /x", "COPY a /x/"),
    ("COPY a /x", "ADD a /x"),
    ("COPY a /x", "COPY --chown=1 a /x"),
    ("COPY a /x", "COPY --chmod=700 a /x"),
    ("COPY a /x", "COPY --parents a /x"),
    ("COPY a /x", "COPY --exclude=b a /x"),
    ("COPY <<E /x\na\nE", "COPY <<E /x\nb\nE"),
    ("ADD a /x", "ADD --unpack=false a /x"),
    ("WORKDIR /a", "WORKDIR /b"),
]


@pytest.mark.parametrize(("one", "other"), FIELDS)
def test_every_field_is_in_the_digest(one: str, other: str) -> None:
    first, second = (plan(f"FROM a\n{text}\n", allowed=EVERYTHING).digests()[0][-1] for text in (one, other))
    assert first != second
    assert first == plan(f"FROM a\n{one}\n", allowed=EVERYTHING).digests()[0][-1]


def test_an_input_that_changes_is_in_the_digest() -> None:
    text = "FROM a AS one\nRUN {}\nFROM b\nCOPY --from=one /f /f\nRUN --mount=type=bind,from=one,target=/m x\n"
    assert plan(text.format("x")).digests()[1] != plan(text.format("y")).digests()[1]
    assert plan(text.format("x")).digests()[1][0] == plan(text.format("y")).digests()[1][0]
