"""`havre ps`: list containers."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, number, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.screen import Screen
from havre.cli.tables import ellipsis
from havre.cli.units import show_age, show_moment, show_size
from havre.client.client import Client

_HEADERS = {
    "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "Status": "STATUS",
    "Ports": "PORTS", "Names": "NAMES", "Size": "SIZE", "CreatedAt": "CREATED AT", "State": "STATE",
    "Labels": "LABELS", "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
}  # fmt: skip
_DEFAULT = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
_RAW = (
    "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{.State}}\n"
    "status: {{.Status}}\nports: {{.Ports}}\nnames: {{.Names}}\nlabels: {{.Labels}}\n"
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from havre.wire.containers import ContainerSummary, Port


def run(given: Given, client: Client, screen: Screen) -> int:
    """Running containers, or all; newest first."""
    form, size = given.text("format"), given.switch("size")
    last = 1 if given.switch("latest") else given.number("last")
    query = {
        "all": given.switch("all"),
        "limit": last if last > 0 else None,
        "size": size or ".Size" in form,
        "filters": filters_query(given.many("filter")),
    }
    rows: list[ContainerSummary] = client.get("/containers/json", list, query)
    trim = not given.switch("no-trunc")
    if given.switch("quiet") and not form:
        for row in rows:
            screen.line(_id(row, trim=trim))
        return 0
    if form == "raw":
        form = _RAW + ("size: {{.Size}}\n" if size else "")
    columns = (*_DEFAULT, "Size") if size else _DEFAULT
    listing = Listing(_HEADERS, columns, "*formatter.ContainerContext")
    listing.print((container_row(row, trim=trim) for row in rows), form, screen)
    return 0


def container_row(row: ContainerSummary, *, trim: bool) -> Row:
    """One container of the list."""
    return Row(container_columns(row, trim=trim), "*formatter.ContainerContext")


def container_columns(row: ContainerSummary, *, trim: bool) -> dict[str, Callable[[], object] | str]:
    """The placeholders of one container."""
    labels = row.get("Labels") or {}
    return {
        "ID": _id(row, trim=trim),
        "Names": lambda: ",".join(
            name.removeprefix("/") for name in row.get("Names") or () if not trim or name.count("/") < 2
        ),
        "Image": lambda: _image(row, trim=trim),
        "Command": lambda: f'"{ellipsis(row.get("Command") or "", 20) if trim else row.get("Command") or ""}"',
        "CreatedAt": lambda: show_moment(row.get("Created") or 0),
        "RunningFor": lambda: show_age(row.get("Created") or 0),
        "Ports": lambda: show_ports(row.get("Ports") or []),
        "State": row.get("State") or "",
        "Status": row.get("Status") or "",
        "Size": lambda: _size(row),
        "Labels": lambda: ",".join(f"{key}={labels[key]}" for key in sorted(labels)),
        "Label": lambda key: labels.get(str(key), ""),  # type: ignore[dict-item, misc]  # called by templates
        "Mounts": lambda: _mounts(row, trim=trim),
        "LocalVolumes": lambda: str(sum(1 for mount in row.get("Mounts") or () if mount.get("Driver") == "local")),
        "Networks": lambda: ",".join((row.get("NetworkSettings") or {}).get("Networks") or {}),
    }


def show_ports(ports: list[Port]) -> str:
    """Docker's PORTS column: equal runs as ranges, what is published with its address."""
    if not ports:
        return ""
    from havre.cli.ports import ports_column

    return ports_column(ports)


def _id(row: ContainerSummary, *, trim: bool) -> str:
    identifier = row.get("Id") or ""
    return identifier[:12] if trim else identifier


def _image(row: ContainerSummary, *, trim: bool) -> str:
    image = row.get("Image") or ""
    if not image:
        return "<no image>"
    if not trim:
        return image
    identifier = (row.get("ImageID") or "").removeprefix("sha256:")
    if identifier and image.removeprefix("sha256:") in (identifier, identifier[:12]):
        return identifier[:12]
    return image.partition("@")[0]


def _size(row: ContainerSummary) -> str:
    own, total = row.get("SizeRw") or 0, row.get("SizeRootFs") or 0
    return f"{show_size(own)} (virtual {show_size(total)})" if total else show_size(own)


def _mounts(row: ContainerSummary, *, trim: bool) -> str:
    names = [mount.get("Name") or mount.get("Source") or "" for mount in row.get("Mounts") or ()]
    return ",".join(ellipsis(name, 15) if trim else name for name in names)


COMMAND = Command(
    summary="List containers",
    usage="[OPTIONS]",
    flags=(
        switch("all", "Show all containers (default shows just running)", short="a"),
        many("filter", "Filter output based on conditions provided", short="f", kind="filter"),
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        number("last", "Show n last created containers (includes all states)", short="n", default=-1),
        switch("latest", "Show the latest created container (includes all states)", short="l"),
        switch("no-trunc", "Don't truncate output"),
        switch("quiet", "Only display container IDs", short="q"),
        switch("size", "Display total file sizes", short="s"),
    ),
    at_most=0,
    run=run,
)
