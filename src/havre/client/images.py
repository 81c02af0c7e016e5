"""Images for Python programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from havre.client.client import Client, json_lines
from havre.wire.images import ImageInspect, ImageSummary


class Images:
    """The images of one daemon, by name, name with tag, digest or beginning of an id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, *, everything: bool = False) -> Sequence[ImageSummary]:
        """Those with a name, or *everything*, as the API tells them."""
        return self._client.get("/images/json", Sequence[ImageSummary], {"all": everything})  # type: ignore[type-abstract]  # a hint

    def inspect(self, ref: str) -> ImageInspect:
        """Everything the daemon knows of one image. Raises ApiError (404)."""
        return self._client.get(f"/images/{ref}/json", ImageInspect)

    def pull(self, ref: str, on_progress: Callable[[dict[str, object]], None] | None = None) -> None:
        """Fetch an image from its registry, `latest` if *ref* says no tag. Raises ClientError with what went wrong."""
        name, tag = _name_and_tag(ref)
        for line in json_lines(self._client.send("POST", "/images/create", {"fromImage": name, "tag": tag})):
            if on_progress is not None:
                on_progress(line)

    def load(self, archive: Iterable[bytes]) -> None:
        """Take in what `docker save` made, piece by piece."""
        for _ in json_lines(self._client.send("POST", "/images/load", stream=archive)):
            pass

    def tag(self, ref: str, name: str) -> None:
        """Give an image one more name."""
        repository, tag = _name_and_tag(name)
        self._client.act("POST", f"/images/{ref}/tag", {"repo": repository, "tag": tag})

    def remove(self, ref: str, *, force: bool = False) -> None:
        """Take a name away, and with the last one the image. Raises ApiError (409) while a container uses it."""
        self._client.act("DELETE", f"/images/{ref}", {"force": force})


def _name_and_tag(ref: str) -> tuple[str, str]:
    """A colon after the last slash begins a tag; a digest stays with its name."""
    if "@" in ref:
        return ref, ""
    head, slash, last = ref.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}{slash}{name}", tag or "latest"
