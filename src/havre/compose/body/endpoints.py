"""How a container is on its networks: at its creation, and, where the engine is older, by connecting afterwards."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.body.around import Surroundings
from havre.compose.body.versions import ENDPOINT_MAC, SEVERAL_ENDPOINTS, ApiVersion
from havre.compose.model.parts import Attachment
from havre.compose.model.service import Service
from havre.wire.networks import EndpointSettings


class Endpoints(Struct, frozen=True):
    """The network mode, the networks of the create request, those joined after it, and links of the old bridge."""

    mode: str
    at_create: dict[str, EndpointSettings | None] = field(default_factory=dict)
    afterwards: dict[str, EndpointSettings] = field(default_factory=dict)
    host_links: list[str] = field(default_factory=list)


def endpoints(service: Service, number: int, around: Surroundings) -> Endpoints:
    """The networks of one container, the one of highest priority first."""
    project, containers = around.project, around.containers
    aliased = around.oneoff is None or around.oneoff.aliased
    if service.network_mode:
        mode = service.network_mode
        if mode.startswith("service:"):
            mode = f"container:{containers[mode.removeprefix('service:')]}"
        links = _links(service, containers) if mode in ("bridge", "default") else []
        return Endpoints(mode, host_links=links)
    if not service.networks:
        return Endpoints("none")
    aliases = [project.container_name(service, number), service.name]
    links = _links(service, containers)
    wished = sorted(service.networks.items(), key=lambda one: -(one[1].priority if one[1] else 0))
    made: dict[str, EndpointSettings] = {}
    for key, attachment in wished:
        settings = _endpoint(attachment or Attachment(), service, around.api, links)
        settings["Aliases"] = [*aliases, *(settings.get("Aliases") or ())] if aliased else []
        made[project.networks[key].name] = settings
    first = next(iter(made))
    if around.api >= SEVERAL_ENDPOINTS:
        return Endpoints(first, dict(made))
    return Endpoints(first, {first: made.pop(first)}, made)


def _endpoint(attachment: Attachment, service: Service, api: ApiVersion, links: list[str]) -> EndpointSettings:
    settings: EndpointSettings = {"Aliases": list(attachment.aliases), "Links": links}
    if attachment.ipv4_address or attachment.ipv6_address or attachment.link_local_ips:
        settings["IPAMConfig"] = {
            "IPv4Address": attachment.ipv4_address,
            "IPv6Address": attachment.ipv6_address,
            "LinkLocalIPs": list(attachment.link_local_ips),
        }
    options = dict(attachment.driver_opts)
    if attachment.interface_name:
        options["com.docker.network.endpoint.ifname"] = attachment.interface_name
    if options:
        settings["DriverOpts"] = options
    if attachment.gw_priority:
        settings["GwPriority"] = attachment.gw_priority
    mac = attachment.mac_address or service.mac_address
    if mac and (api >= ENDPOINT_MAC or attachment.mac_address):
        settings["MacAddress"] = mac
    return settings


def _links(service: Service, containers: Mapping[str, str]) -> list[str]:
    made = []
    for link in service.links:
        name, _, alias = link.partition(":")
        if name in containers:
            made.append(f"{containers[name]}:{alias or name}")
    for link in service.external_links:
        name, _, alias = link.partition(":")
        made.append(f"{name}:{alias or name}")
    return made
