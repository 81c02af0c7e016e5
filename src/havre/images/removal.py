"""What `rmi` may do and what it does: a pure plan by Docker's rules, which others carry out.

Names go before images, images before layers. Without *force* a container holds its image, and an image with
names in several repositories is not removed by its id; a running container and a child image hold it always.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from havre.base.ids import short
from havre.images.catalogue import Catalogue, is_id_or_prefix
from havre.images.model import ContainerUse, Deleted, Image, ImageInUse, Removed, Untagged
from havre.oci.digest import Digest
from havre.oci.reference import Reference

InUse = Callable[[str], Sequence[ContainerUse]]


@dataclass(frozen=True, slots=True)
class Removal:
    """*answer* in Docker's order, and what it means: *names* and *images* to forget, *chains* to remove."""

    answer: tuple[Removed, ...]
    names: tuple[Reference, ...]
    images: tuple[str, ...]
    chains: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller asked: *text* as it was typed; *prune* takes nameless parents along."""

    text: str
    force: bool
    prune: bool


@dataclass(frozen=True, slots=True)
class _Obstacle:
    reason: str
    hard: bool
    used: bool = False


class _Names:
    """The names of images while the plan takes them away."""

    def __init__(self) -> None:
        self._left: dict[str, list[Reference]] = {}
        self.taken: list[Reference] = []

    def of(self, image: Image) -> list[Reference]:
        return self._left.setdefault(image.id, list(image.references))

    def take(self, image: Image, name: Reference) -> Untagged:
        left = self.of(image)
        if name in left:
            left.remove(name)
            self.taken.append(name)
        return Untagged(name, image.id)


def plan_removal(catalogue: Catalogue, wish: Wish, in_use: InUse, held: frozenset[Digest] = frozenset()) -> Removal:
    """Raises NoSuchImage, or ImageInUse in Docker's words. *held* chains stay whatever happens."""
    return _Planner(catalogue, in_use, held).plan(wish)


class _Planner:
    def __init__(self, catalogue: Catalogue, in_use: InUse, held: frozenset[Digest]) -> None:
        self._catalogue = catalogue
        self._in_use = in_use
        self._held = held
        self._names = _Names()
        self._answer: list[Removed] = []
        self._gone: list[str] = []
        self._chains: list[Digest] = []

    def plan(self, wish: Wish) -> Removal:
        image = self._catalogue.find(wish.text)
        if is_id_or_prefix(image.id, wish.text):
            self._names_of_id(image, force=wish.force)
            self._image(image, force=wish.force, prune=wish.prune, quiet=False)
        elif self._name(image, wish):
            self._image(image, force=wish.force, prune=wish.prune, quiet=True)
        return Removal(
            tuple(self._answer),
            tuple(self._names.taken),
            tuple(self._gone),
            tuple(self._chains),
        )

    def _name(self, image: Image, wish: Wish) -> bool:
        """Take the name away; True when the image has no other."""
        users = self._users(image)
        if not wish.force and users and _is_single(image.references):
            raise ImageInUse(
                f'conflict: unable to remove repository reference "{wish.text}" (must force) - container '
                f"{short(users[0].id)} is using its referenced image {short(image.id)}"
            )
        name = Reference.parse(wish.text).with_default_tag()
        if name.digest:
            name = Reference(name.domain, name.path, digest=name.digest)
        self._answer.append(self._names.take(image, name))
        left = self._names.of(image)
        same = [one for one in left if one.repository() == name.repository()]
        if not name.digest and all(one.digest for one in same):
            self._answer.extend(self._names.take(image, one) for one in same)
        return not self._names.of(image)

    def _names_of_id(self, image: Image, *, force: bool) -> None:
        """Where all names are one repository's with one tag at most, an id means them too."""
        if not _is_single(image.references):
            return
        obstacle = self._obstacle(image, stopped=not force, names=False)
        if obstacle is not None:
            raise _conflict(image, obstacle)
        self._take_all_names(image)

    def _image(self, image: Image, *, force: bool, prune: bool, quiet: bool) -> None:
        obstacle = self._obstacle(image, stopped=not force, names=not force)
        if obstacle is not None:
            dangling = not self._names.of(image) and not self._children(image)
            if quiet and (not dangling or obstacle.used):
                return
            raise _conflict(image, obstacle)
        self._take_all_names(image)
        self._answer.append(Deleted(image.id, image=True))
        self._gone.append(image.id)
        if not self._in_use(image.id):  # a container that was forced out of its name keeps its layers
            self._layers(image)
        if prune:
            for other in self._left_over(image):
                self._image(other, force=False, prune=True, quiet=True)

    def _take_all_names(self, image: Image) -> None:
        for name in tuple(self._names.of(image)):
            self._answer.append(self._names.take(image, name))

    def _layers(self, image: Image) -> None:
        """Layers go from the top down, as far as nothing else stands on them."""
        others = {layer.chain for one in self._catalogue.all() if one.id not in self._gone for layer in one.layers}
        for layer in reversed(image.layers):
            if layer.chain in others or layer.chain in self._held:
                return
            self._chains.append(layer.chain)
            self._answer.append(Deleted(str(layer.chain), image=False, size_bytes=layer.size_bytes))

    def _left_over(self, image: Image) -> Iterator[Image]:
        """The parent of an image that went, and what came for other platforms with it, if no name holds them."""
        platforms = self._catalogue.platforms(image)[1:]
        if not any(self._names.of(other) for other in platforms):
            yield from (other for other in platforms if other.id not in self._gone)
        parent = self._catalogue.get(image.parent) if image.parent else None
        if parent is not None:
            yield parent

    def _children(self, image: Image) -> frozenset[str]:
        return self._catalogue.children(image.id) - {*self._gone}

    def _users(self, image: Image) -> list[ContainerUse]:
        """The containers that hold *image*; with a name it stands for all platforms of its index."""
        meant = self._catalogue.platforms(image) if self._names.of(image) else (image,)
        return [user for one in meant for user in self._in_use(one.id)]

    def _obstacle(self, image: Image, *, stopped: bool, names: bool) -> _Obstacle | None:
        users = self._users(image)
        running = next((one for one in users if one.running), None)
        idle = next((one for one in users if not one.running), None)
        if self._children(image):
            return _Obstacle("image has dependent child images", hard=True)
        if running is not None:
            text = f"image is being used by running container {short(running.id)}"
            return _Obstacle(text, hard=True, used=True)
        if names and self._names.of(image):
            return _Obstacle("image is referenced in multiple repositories", hard=False)
        if stopped and idle is not None:
            text = f"image is being used by stopped container {short(idle.id)}"
            return _Obstacle(text, hard=False, used=True)
        return None


def _is_single(names: Sequence[Reference]) -> bool:
    """Whether *names* are of one repository and hold one tag at most; false for none."""
    tags = [name for name in names if not name.digest]
    return len({name.repository() for name in names}) == 1 and len(tags) <= 1


def _conflict(image: Image, obstacle: _Obstacle) -> ImageInUse:
    how = "cannot be forced" if obstacle.hard else "must be forced"
    return ImageInUse(f"conflict: unable to delete {short(image.id)} ({how}) - {obstacle.reason}")
