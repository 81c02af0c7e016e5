"""Values of the model as the JSON that Go programs make of compose files: Docker Compose hashes that text.

What is empty is left out (what may be None, when it is None); attributes stand in the order of Compose's structures,
keys of mappings in their own; sizes are texts of digits, and `<`, `>` and `&` are escaped.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from functools import cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from havre.compose.model.defaults import defaults
from havre.compose.model.deploy import Deploy, Discrete, Reservations
from havre.compose.model.devices import Device, DeviceRequest
from havre.compose.model.limits import DeviceWeight, Throttle, Ulimit
from havre.compose.model.mounts import BindWishes, Mount, TmpfsWishes, VolumeWishes
from havre.compose.model.parts import Attachment, Healthcheck, Hook, Trigger
from havre.compose.model.ports import Port
from havre.compose.model.resources import Ipam, Network, Subnet
from havre.compose.model.service import Service
from havre.compose.model.values import Duration, Mode, Size

# Attributes in Compose's order where it is not that of our classes. A trailing `!` marks what is written even when it
# is empty, a word after `=` how it is spelt there.
_ORDER: Final[Mapping[type, str]] = {
    Service: "annotations attach develop blkio_config cap_add cap_drop cgroup_parent cgroup cpu_count cpu_percent "
    "cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpus cpuset cpu_shares command! configs container_name "
    "credential_spec deploy device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint! provider "
    "environment env_file expose extends external_links extra_hosts group_add gpus hostname healthcheck image init ipc "
    "isolation labels label_file links logging mem_limit mem_reservation memswap_limit mem_swappiness mac_address "
    "models network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports privileged read_only "
    "restart runtime secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs "
    "tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir pre_start post_start pre_stop",
    Attachment: "aliases driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address "
    "priority",
    BindWishes: "selinux propagation create_host_path recursive",
    Deploy: "mode labels update_config rollback_config resources! restart_policy placement! endpoint_mode",
    Device: "source target permissions",
    DeviceRequest: "capabilities driver count device_ids options",
    DeviceWeight: "path!=Path weight!=Weight",
    Discrete: "kind! value!",
    Healthcheck: "test timeout interval retries start_period start_interval disable",
    Hook: "command! user privileged working_dir environment",
    Ipam: "driver config",
    Mount: "type source target read_only consistency bind volume tmpfs image",
    Network: "name driver driver_opts ipam! external internal attachable labels enable_ipv4 enable_ipv6",
    Port: "name mode host_ip target published protocol app_protocol",
    Reservations: "cpus memory devices generic_resources",
    Subnet: "subnet gateway ip_range aux_addresses",
    Throttle: "path!=Path rate!=Rate",
    Ulimit: "soft hard",
    Trigger: "path! action! target exec! include ignore initial_sync",
    VolumeWishes: "labels nocopy subpath",
}
# What stands for a structure that is not there where one is written all the same.
_ABSENT: Final[Mapping[tuple[type, str], object]] = {
    (Deploy, "resources"): {},
    (Deploy, "placement"): {},
    (Network, "ipam"): {},
    (Trigger, "exec"): {"command": None},
}
# Numbers that may be None here and are 0 there.
_PLAIN_NUMBERS: Final = frozenset({(Service, "mem_swappiness"), (DeviceRequest, "count"), (TmpfsWishes, "mode")})


def go_json(value: object) -> str:
    """The text that Go's encoder writes of *value*, made by *plain*."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def plain(value: object) -> object:
    """A value of the model as mappings, lists, texts, numbers and truth values, in the order in which they stand."""
    match value:
        case Ulimit(soft, single=True):
            return soft or {}
        case Duration() | Size():
            return str(value)
        case Mode():
            return f"0{int(value):o}"
        case float():
            return _number(value)
        case Mapping():
            return {str(key): plain(value[key]) for key in sorted(value)}
        case tuple():
            return [plain(one) for one in value]
        case Device() if not value.target:
            return plain(replace(value, target=value.source))  # a CDI name stands for both
        case Struct():
            return attributes(value)
        case _:
            return value


def attributes(record: Struct) -> dict[str, object]:
    """A structure of the model as *plain* makes it."""
    given = (one for one in _attributes(type(record)) if one.is_given(getattr(record, one.name)))
    return {one.spelt: _shaped(record, one.name) for one in given}


class _Attribute(Struct, frozen=True):
    """One attribute of a structure: how it is spelt, and when it is written."""

    name: str
    spelt: str
    always: bool
    pointer: bool

    def is_given(self, value: object) -> bool:
        """Whether Go writes it: always, when a pointer is set, or when it is not empty."""
        return self.always or (value is not None if self.pointer else bool(value))


@cache
def _attributes(kind: type[Struct]) -> tuple[_Attribute, ...]:
    known = defaults(kind)
    found = []
    for word in _ORDER.get(kind, " ".join(name for name in known if name != "extensions")).split():
        given, _, spelt = word.partition("=")
        name = given.removesuffix("!")
        pointer = known[name] is None and (kind, name) not in _PLAIN_NUMBERS
        found.append(_Attribute(name, spelt or name, given != name, pointer))
    return tuple(found)


def _shaped(record: object, name: str) -> object:
    """One attribute of *record*, in the forms that only this attribute has."""
    value = getattr(record, name)
    match (type(record), name):
        case key if value is None and key in _ABSENT:
            return _ABSENT[key]
        case (_, "extra_hosts"):
            return sorted(f"{host}={address}" for host, addresses in value.items() for address in addresses)
        case (_, "mem_swappiness"):
            return str(value)
        case (kind, "mode") if kind is TmpfsWishes:
            return int(value)
        case _:
            return plain(value)


def _number(value: float) -> float:
    """As a number of 32 bits is written: with no more digits than tell it from its neighbours."""
    if value.is_integer():
        return int(value)
    (held,) = struct.unpack("f", struct.pack("f", value))
    shorter = (float(f"{held:.{digits}g}") for digits in range(1, 10))
    return next((short for short in shorter if struct.pack("f", short) == struct.pack("f", held)), value)
