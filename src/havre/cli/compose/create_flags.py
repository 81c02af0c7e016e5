"""The flags that `up` and `create` share."""

from __future__ import annotations

import os

from havre.cli.compose.converge import Wishes, scale_of
from havre.cli.compose.session import with_dependencies
from havre.cli.flags import Given, UsageError, many, switch, text
from havre.compose.model.project import Project
from havre.compose.plan.images import ImageWishes
from havre.compose.plan.up import ALWAYS, DIVERGED, NEVER

CREATE_FLAGS = (
    switch("build", "Build images before starting containers"),
    switch("force-recreate", "Recreate containers even if their configuration and image haven't changed"),
    switch("no-build", "Don't build an image, even if it's policy"),
    switch("no-recreate", "If containers already exist, don't recreate them. Incompatible with --force-recreate."),
    text("pull", 'Pull image before running ("always"|"missing"|"never"|"build")', default="policy"),
    switch("quiet-pull", "Pull without printing progress information"),
    switch("remove-orphans", "Remove containers for services not defined in the Compose file"),
    many("scale", "Scale SERVICE to NUM instances. Overrides the `scale` setting in the Compose file if present."),
    switch("yes", 'Assume "yes" as answer to all prompts and run non-interactively', short="y"),
)
PULL_POLICIES = ("policy", "always", "missing", "if_not_present", "never", "build")


def create_wishes(given: Given, project: Project) -> Wishes:
    """What these flags want; named services with all that they need. Raises UsageError and ComposeError."""
    refuse_together(given, (("build", "no-build"), ("force-recreate", "no-recreate")))
    recreate = ALWAYS if given.switch("force-recreate") else NEVER if given.switch("no-recreate") else DIVERGED
    return Wishes(
        services=tuple(with_dependencies(project, given.args)),
        named=frozenset(given.args),
        recreate=recreate,
        recreate_dependencies=NEVER if recreate == NEVER else DIVERGED,
        scale=scale_of(given.many("scale"), project),
        remove_orphans=removes_orphans(given),
        images=ImageWishes(
            pull=pull_policy(given.text("pull")),
            build=given.switch("build"),
            no_build=given.switch("no-build"),
            quiet=given.switch("quiet-pull"),
        ),
    )


def pull_policy(text_given: str) -> str:
    """Raises UsageError for an unknown one."""
    if text_given not in PULL_POLICIES:
        raise UsageError(f'invalid --pull option "{text_given}": one of {", ".join(PULL_POLICIES[1:])} expected')
    return "missing" if text_given == "if_not_present" else text_given


def removes_orphans(given: Given) -> bool:
    """The flag, else COMPOSE_REMOVE_ORPHANS."""
    if given.changed("remove-orphans"):
        return given.switch("remove-orphans")
    return os.environ.get("COMPOSE_REMOVE_ORPHANS", "").lower() in ("1", "true")


def refuse_together(given: Given, pairs: tuple[tuple[str, str], ...]) -> None:
    """Raises UsageError when both flags of a pair are given."""
    for pair in pairs:
        if all(given.changed(name) and given.text(name) not in ("false", "") for name in pair):
            raise UsageError(f"--{pair[0]} and --{pair[1]} are incompatible")
