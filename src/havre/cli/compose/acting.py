"""The same act on every container of some services."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from havre.cli.compose.session import Session
from havre.client.client import Client
from havre.compose.present import Container


def act_on(
    session: Session,
    containers: Iterable[Container],
    act: Callable[[Client, Container], None],
    words: tuple[str, str],
) -> None:
    """Call *act* with each container; *words* are what is told before and after. Raises ClientError."""
    for one in containers:
        session.progress.begin(f"Container {one.name}", words[0])
        if not session.dry:
            act(session.client, one)
        session.progress.done(f"Container {one.name}", words[1])
