"""What a container on a newer image is asked for: what its user wished, and nothing that the old image gave. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Document = Mapping[str, object]

_OWN = ("Cmd", "Entrypoint", "WorkingDir", "User", "StopSignal", "Shell", "Healthcheck", "OnBuild")
_KEPT_NETWORK_FIELDS = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "MacAddress")
_WITHOUT_ENDPOINT = frozenset({"", "default", "bridge", "host", "none"})


def successor(shown: Document, old_image: Document, image: str) -> dict[str, object]:
    """The body of a create for the container that inspect shows as *shown*, whose image has the config *old_image*."""
    config = _dict(shown.get("Config"))
    body = {name: value for name, value in config.items() if name not in {*_OWN, "Env", "Labels", "Volumes"}}
    body["Image"] = image
    if body.get("Hostname") == str(shown.get("Id"))[:12] or _mode(shown).startswith("container:"):
        body.pop("Hostname", None)  # nobody chose it: it comes from the id, or with the network of another
    for name in _OWN:
        if config.get(name) != old_image.get(name) and config.get(name) is not None:
            body[name] = config[name]
    if "Entrypoint" in body and "Cmd" not in body:
        body["Cmd"] = config.get("Cmd")  # an entry point of the user's hides the image's command
    of_image = set(_list(old_image.get("Env")))
    body["Env"] = [entry for entry in _list(config.get("Env")) if entry not in of_image]
    labels = _dict(old_image.get("Labels"))
    body["Labels"] = {key: value for key, value in _dict(config.get("Labels")).items() if labels.get(key) != value}
    body["HostConfig"] = _host(shown)
    body["NetworkingConfig"] = {"EndpointsConfig": _endpoints(shown)}
    return body


def _host(shown: Document) -> dict[str, object]:
    """With every volume by its name, so that also those that nobody named go over."""
    host = {name: value for name, value in _dict(shown.get("HostConfig")).items() if name != "ContainerIDFile"}
    binds = [str(bind) for bind in _list(host.get("Binds"))]
    asked = {str(_dict(mount).get("Target")) for mount in _list(host.get("Mounts"))}
    asked |= {bind.split(":")[1] for bind in binds if ":" in bind}
    volumes = [mount for mount in map(_dict, _list(shown.get("Mounts"))) if mount.get("Type") == "volume"]
    binds += [
        f"{mount.get('Name')}:{mount.get('Destination')}" + ("" if mount.get("RW") else ":ro")
        for mount in volumes
        if str(mount.get("Destination")) not in asked
    ]
    host["Binds"] = binds or None
    return host


def _endpoints(shown: Document) -> dict[str, object]:
    """Of networks that the user chose."""
    mode = _mode(shown)
    networks = _dict(_dict(shown.get("NetworkSettings")).get("Networks"))
    if mode in _WITHOUT_ENDPOINT or mode.startswith("container:"):
        return {}
    short = str(shown.get("Id"))[:12]
    made: dict[str, object] = {}
    for name, value in networks.items():
        endpoint = _dict(value)
        kept = {field: endpoint[field] for field in _KEPT_NETWORK_FIELDS if endpoint.get(field)}
        if "Aliases" in kept:
            kept["Aliases"] = [alias for alias in _list(kept["Aliases"]) if alias != short]
        made[name] = kept
    return made


def _mode(shown: Document) -> str:
    return str(_dict(shown.get("HostConfig")).get("NetworkMode") or "")


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
