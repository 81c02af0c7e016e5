"""Which changes of files set off which trigger of `develop.watch`; pure."""

from __future__ import annotations

import os
from collections.abc import Iterable

from msgspec import Struct

from havre.base.errors import HavreError
from havre.build.dockerfile.ignore import Ignore
from havre.compose.errors import ComposeError
from havre.compose.model.parts import Trigger
from havre.compose.model.service import Service

_ALWAYS_IGNORED = ("**/.git", "**/*~", "**/.*.sw?", "**/4913")


class Watched(Struct, frozen=True):
    """One trigger of one service, its patterns read."""

    service: Service
    trigger: Trigger
    ignored: Ignore
    included: Ignore | None

    def takes(self, path: str) -> bool:
        """Whether a change of *path* sets it off."""
        relative = os.path.relpath(path, self.trigger.path)
        if relative.startswith(".."):
            return False
        if relative == ".":
            return True
        if self.ignored.ignores(relative):
            return False
        return self.included is None or self.included.ignores(relative)

    def enters(self, folder: str) -> bool:
        """Whether something below *folder* could set it off."""
        relative = os.path.relpath(folder, self.trigger.path)
        return relative == "." or not self.ignored.ignores(relative) or self.ignored.may_keep_below(relative)

    def target(self, path: str) -> str:
        """Where *path* is in the container."""
        relative = os.path.relpath(path, self.trigger.path)
        return self.trigger.target if relative == "." else os.path.join(self.trigger.target, relative)


def watched(services: Iterable[Service]) -> list[Watched]:
    """Every trigger of *services*. Raises ComposeError for patterns that are none and triggers without a target."""
    found = []
    for service in services:
        for trigger in service.develop.watch if service.develop else ():
            if "sync" in trigger.action and not trigger.target:
                raise ComposeError(f"service {service.name!r}: a trigger that syncs {trigger.path} needs a target")
            if trigger.action == "rebuild" and service.build is None:
                raise ComposeError(f"can't watch service {service.name!r} with action rebuild without a build context")
            found.append(_read(service, trigger))
    return found


def highest(paths: Iterable[str]) -> list[str]:
    """*paths* without those that are below another one of them."""
    kept: list[str] = []
    for path in sorted(paths):
        if not kept or not (path == kept[-1] or path.startswith(kept[-1].rstrip("/") + "/")):
            kept.append(path)
    return kept


def _read(service: Service, trigger: Trigger) -> Watched:
    try:
        ignored = Ignore.of([*_ALWAYS_IGNORED, *_dockerignore(service, trigger), *trigger.ignore])
        included = Ignore.of(trigger.include) if trigger.include else None
    except HavreError as error:
        raise ComposeError(f"service {service.name!r}: develop.watch: {error.message}") from error
    return Watched(service, trigger, ignored, included)


def _dockerignore(service: Service, trigger: Trigger) -> list[str]:
    """The lines of the context's ignore file, when the trigger watches the context itself."""
    if service.build is None or os.path.normpath(service.build.context) != os.path.normpath(trigger.path):
        return []
    try:
        with open(os.path.join(service.build.context, ".dockerignore"), encoding="utf-8-sig", errors="replace") as file:
            return [line.strip() for line in file if line.strip() and not line.startswith("#")]
    except OSError:
        return []
