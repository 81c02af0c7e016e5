"""The steps that made an image, as `docker history` tells them: the newest first."""

from collections.abc import Iterator

from havre.base.clock import parse_rfc3339
from havre.base.errors import InvalidInput
from havre.images.catalogue import Catalogue
from havre.images.model import Image, Step


def history(catalogue: Catalogue, image: Image) -> tuple[Step, ...]:
    """The steps of *image*; the newest carry the ids of the image and its parents, as far as they are here.

    Raises InvalidInput where the config tells of more layers than the image has.
    """
    sizes = iter(image.layers)
    steps = []
    for told in image.config.history or ():
        size_bytes = 0
        if not told.empty_layer:
            layer = next(sizes, None)
            if layer is None:
                raise InvalidInput("too many non-empty layers in History section")
            size_bytes = layer.size_bytes
        steps.append(
            Step(
                id="",
                created_ns=created_ns(told.created),
                created_by=told.created_by,
                tags=(),
                size_bytes=size_bytes,
                comment=told.comment,
            )
        )
    steps.reverse()
    for position, ancestor in zip(range(len(steps)), _ancestors(catalogue, image), strict=False):
        step = steps[position]
        steps[position] = Step(
            id=ancestor.id,
            created_ns=step.created_ns,
            created_by=step.created_by,
            tags=ancestor.repo_tags,
            size_bytes=step.size_bytes,
            comment=step.comment,
        )
    return tuple(steps)


def created_ns(text: str | None) -> int:
    """The moment *text* tells; 0 where it tells none, since an image is no worse for a bad date."""
    try:
        return parse_rfc3339(text) if text else 0
    except (ValueError, OverflowError):
        return 0


def _ancestors(catalogue: Catalogue, image: Image) -> Iterator[Image]:
    one: Image | None = image
    while one is not None:
        yield one
        one = catalogue.get(one.parent) if one.parent else None
