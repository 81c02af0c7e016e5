"""Records as earlier versions wrote them, turned into today's. What cannot be read goes on as it is."""

import msgspec

from havre.networks.model import Attachment, Endpoint, Network, PublishedPort, Subnet


class _NetworkV1(msgspec.Struct):
    id: str
    name: str
    driver: str
    created_ns: int
    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    bridge_address: str = ""
    bridge_name: str = ""
    bridge_mac: str = ""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class _AttachmentV1(msgspec.Struct):
    sandbox_id: str
    network_name: str
    network_id: str = ""
    endpoint_id: str = ""
    namespace_id: str = ""
    netns_path: str = ""
    ip_address: str = ""
    ip_prefix_len: int = 0
    gateway: str = ""
    mac_address: str = ""
    host_link: str = ""
    any_source: bool = False
    ports: tuple[PublishedPort, ...] = ()


def network_of_v1(record: bytes) -> bytes:
    """A network of the first schema, with its one subnet."""
    try:
        old = msgspec.json.decode(record, type=_NetworkV1)
    except msgspec.MsgspecError:
        return record
    subnets = (Subnet(old.subnet, old.ip_range, old.gateway),) if old.subnet else ()
    return msgspec.json.encode(
        Network(
            id=old.id,
            name=old.name,
            driver=old.driver,
            created_ns=old.created_ns,
            subnets=subnets,
            bridge_address=old.bridge_address,
            bridge_name=old.bridge_name,
            bridge_mac=old.bridge_mac,
            options=old.options,
            labels=old.labels,
        )
    )


def attachment_of_v1(record: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """An attachment of the first schema, with its one endpoint; and its leases: network id and address."""
    try:
        old = msgspec.json.decode(record, type=_AttachmentV1)
    except msgspec.MsgspecError:
        return record, []
    endpoint = Endpoint(
        network_id=old.network_id,
        network_name=old.network_name,
        driver="bridge" if old.host_link else old.network_name,
        endpoint_id=old.endpoint_id,
        link="eth0" if old.host_link else "",
        host_link=old.host_link,
        mac_address=old.mac_address,
        ip_address=old.ip_address,
        ip_prefix_len=old.ip_prefix_len,
        gateway=old.gateway,
    )
    made = Attachment(
        sandbox_id=old.sandbox_id,
        namespace_id=old.namespace_id,
        netns_path=old.netns_path,
        endpoints=(endpoint,),
        any_source=old.any_source,
        ports=old.ports,
    )
    return msgspec.json.encode(made), [(old.network_id, old.ip_address)] if old.ip_address else []
