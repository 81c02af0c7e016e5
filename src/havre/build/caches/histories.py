"""Images that carry no keys, by their history, as Docker's classic builder compares it.

The history tells a command and its arguments, and not which files a COPY took: there the likeness ends.
"""

import re
from typing import Final

from havre.base.clock import parse_rfc3339
from havre.build.cache_document import Offered
from havre.build.caches.sources import CacheSource
from havre.build.graph import FolderOperation, RunOperation, Step
from havre.build.images import State

_NOP: Final = re.compile(r"/bin/sh -c #\(nop\) +")
_BUILDKIT: Final = " # buildkit"


def offered_by(source: CacheSource, step: Step, state: State) -> Offered | None:
    """What the image of *source* has for *step*, if all its steps up to there are those of *state*."""
    image = source.image
    if image is None or not _may_match(step):
        return None
    before = [*((state.base.history or []) if state.base is not None else []), *state.history]
    known = image.config.history or []
    if len(known) <= len(before):
        return None
    if any(plain(one.created_by) != plain(other.created_by) for one, other in zip(before, known, strict=False)):
        return None
    there = known[len(before)]
    if plain(there.created_by) != plain(step.created_by):
        return None
    depth = sum(not one.empty_layer for one in known[: len(before)])
    below = image.layers[depth - 1].chain if depth else None
    if depth > len(image.layers) or below != state.tree.chain:
        return None
    created_ns = _moment(there.created or "")
    if there.empty_layer:
        return Offered(created_ns=created_ns)
    if step.operation is None or depth == len(image.layers):
        return None
    return Offered(created_ns=created_ns, diff=image.layers[depth].diff, blob=source.layers[depth])


def plain(line: str) -> str:
    """A line of a history without what tells only which builder wrote it."""
    line = _NOP.sub("", line, count=1).removesuffix(_BUILDKIT)
    return line.removeprefix("RUN ")


def _moment(text: str) -> int:
    """Many builders tell no time, or none that is one."""
    try:
        return parse_rfc3339(text)
    except ValueError:
        return 0


def _may_match(step: Step) -> bool:
    operation = step.operation
    if isinstance(operation, RunOperation):
        return not (operation.mounts or operation.script or operation.devices or operation.insecure)
    return operation is None or isinstance(operation, FolderOperation)
