"""`havre images`: list images."""

from __future__ import annotations

from collections.abc import Iterator

from havre.cli.command import Command
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.screen import Screen
from havre.cli.units import show_age, show_moment, show_size
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.images import ImageSummary

_HEADERS = {
    "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "ID": "IMAGE ID", "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
}  # fmt: skip
_TYPE = "*formatter.imageContext"
_NONE = "<none>"


def run(given: Given, client: Client, screen: Screen) -> int:
    """One row a tag (and digest with --digests); newest first."""
    entries = list(given.many("filter"))
    if given.args:
        entries.append(f"reference={given.args[0]}")
    query: dict[str, str | int | None] = {"all": given.switch("all"), "filters": filters_query(entries)}
    if given.switch("tree"):
        return _tree(given, client, screen, query)
    images = client.get("/images/json", list[ImageSummary], query)
    trim, form = not given.switch("no-trunc"), given.text("format")
    digests = given.switch("digests") or "{{.Digest}}" in form
    if given.switch("quiet") and not form:
        for image in images:
            for _ in _names(image, digests=digests):
                screen.line(_id(image, trim=trim))
        return 0
    default = ["Repository", "Tag", *(["Digest"] if digests else []), "ID", "CreatedSince", "Size"]
    rows = (_row(image, name, trim=trim) for image in images for name in _names(image, digests=digests))
    Listing(_HEADERS, default, _TYPE).print(rows, form, screen)
    return 0


def _tree(given: Given, client: Client, screen: Screen, query: dict[str, str | int | None]) -> int:
    for flag in ("no-trunc", "quiet", "digests"):
        if given.switch(flag):
            raise ClientError(f"--{flag} cannot be used with --tree")
    if given.text("format"):
        raise ClientError("--format cannot be used with --tree")
    from havre.cli.image_tree import tree_lines

    for line in tree_lines(client.get("/images/json", list[ImageSummary], {**query, "manifests": True})):
        screen.line(line)
    return 0


def _names(image: ImageSummary, *, digests: bool) -> Iterator[tuple[str, str, str]]:
    """Repository, tag and digest of each row."""
    tags = [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"]
    by_repository = {
        name.partition("@")[0]: name.partition("@")[2]
        for name in image.get("RepoDigests") or ()
        if name != "<none>@<none>"
    }
    named = set()
    for tag in tags:
        repository, _, label = tag.rpartition(":")
        named.add(repository)
        yield repository, label, by_repository.get(repository, _NONE) if digests else _NONE
    for repository, digest in by_repository.items():
        if repository not in named:
            named.add(repository)
            yield repository, _NONE, digest if digests else _NONE
    if not named:
        yield _NONE, _NONE, _NONE


def _row(image: ImageSummary, name: tuple[str, str, str], *, trim: bool) -> Row:
    repository, tag, digest = name
    created, size = image.get("Created") or 0, image.get("Size") or 0
    shared, containers = image.get("SharedSize", -1), image.get("Containers", -1)
    return Row(
        {
            "ID": _id(image, trim=trim),
            "Repository": repository,
            "Tag": tag,
            "Digest": digest,
            "CreatedSince": lambda: show_age(created) if created > 0 else "N/A",
            "CreatedAt": lambda: show_moment(created),
            "Size": lambda: show_size(size),
            "VirtualSize": lambda: show_size(size),
            "Containers": "N/A" if containers is None or containers < 0 else str(containers),
            "SharedSize": "N/A" if shared is None or shared < 0 else show_size(shared),
            "UniqueSize": "N/A" if shared is None or shared < 0 else show_size(size - shared),
        },
        _TYPE,
    )


def _id(image: ImageSummary, *, trim: bool) -> str:
    identifier = image.get("Id") or ""
    return identifier.removeprefix("sha256:")[:12] if trim else identifier


COMMAND = Command(
    summary="List images",
    usage="[OPTIONS] [REPOSITORY[:TAG]]",
    flags=(
        switch("all", "Show all images (default hides intermediate and dangling images)", short="a"),
        switch("digests", "Show digests"),
        many("filter", "Filter output based on conditions provided", short="f", kind="filter"),
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        switch("no-trunc", "Don't truncate output"),
        switch("quiet", "Only show image IDs", short="q"),
        switch("tree", "List multi-platform images as a tree"),
    ),
    at_most=1,
    run=run,
)
