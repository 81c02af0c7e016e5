"""What happens to an image."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from havre.compose.errors import Failed
from havre.compose.model.build import Build
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.model.values import Duration
from havre.compose.plan.images import ImageWishes, Local, building_order, decide

HERE, OLD = Local("id", Duration(0)), Local("id", Duration.parse("13h"))
PLAIN, BUILT = Service(name="s", image="x"), Service(name="s", build=Build(context="."))


def policy(word: str, service: Service = PLAIN) -> Service:

    return replace(service, pull_policy=word)


@pytest.mark.parametrize(
    ("service", "there", "wishes", "act"),
    [
        (PLAIN, None, ImageWishes(), "pull"),
        (PLAIN, HERE, ImageWishes(), "keep"),
        (BUILT, None, ImageWishes(), "build"),
        (BUILT, HERE, ImageWishes(), "keep"),
        (BUILT, HERE, ImageWishes(build=True), "build"),
        (BUILT, None, ImageWishes(no_build=True), "missing"),
        (PLAIN, HERE, ImageWishes(pull="always"), "pull"),
        (BUILT, HERE, ImageWishes(pull="always"), "keep"),
        (PLAIN, None, ImageWishes(pull="never"), "missing"),
        (policy("always"), HERE, ImageWishes(), "pull"),
        (policy("never"), None, ImageWishes(), "missing"),
        (policy("never"), HERE, ImageWishes(), "keep"),
        (policy("always"), HERE, ImageWishes(pull="missing"), "keep"),
        (policy("build", BUILT), HERE, ImageWishes(), "build"),
        (policy("every_12h"), OLD, ImageWishes(), "pull"),
        (policy("daily"), OLD, ImageWishes(), "keep"),
        (policy("if_not_present"), None, ImageWishes(), "pull"),
    ],
)
def test_decisions(service: Service, there: Local | None, wishes: ImageWishes, act: str) -> None:
    assert decide(service, there, wishes) == act


def test_what_others_build_on_is_built_first() -> None:
    top = Service(name="top", build=Build(context=".", additional_contexts={"b": "service:base"}))
    base = Service(name="base", build=Build(context="."))
    project = Project("p", "/", services={"top": top, "base": base})
    assert [one.name for one in building_order([top, base], project)] == ["base", "top"]
    assert [one.name for one in building_order([top], project)] == ["base", "top"]


def test_builds_that_need_each_other() -> None:
    one = Service(name="one", build=Build(context=".", additional_contexts={"b": "service:two"}))
    two = Service(name="two", build=Build(context=".", additional_contexts={"b": "service:one"}))
    with pytest.raises(Failed, match="builds need each other: one -> two -> one"):
        building_order([one, two], Project("p", "/", services={"one": one, "two": two}))
