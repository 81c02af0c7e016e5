"""Values of the options of `run` and `create` that have a grammar of their own; each raises ValueError."""

from __future__ import annotations

import os

from havre.cli.units import parse_bytes
from havre.wire.container_config import DeviceMapping, DeviceRequest, Mount, ThrottleDevice, Ulimit, WeightDevice

_ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
_FLAG_FIELDS = {"readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"}


def ulimit(text: str) -> Ulimit:
    """`nofile=1024:2048`."""
    name, equals, values = text.partition("=")
    soft, colon, hard = values.partition(":")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in _ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    try:
        low, high = int(soft), int(hard if colon else soft)
    except ValueError:
        raise ValueError(f"strconv.ParseInt: parsing {values!r}: invalid syntax".replace("'", '"')) from None
    if high != -1 and low > high:
        raise ValueError(f"ulimit soft limit must be less than or equal to hard limit: {low} > {high}")
    return {"Name": name, "Hard": high, "Soft": low}


def device(text: str) -> DeviceMapping:
    """`/dev/x[:/dev/y][:rwm]`."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise ValueError(f"bad format for device: {text}")
    source, inside, rights = parts[0], parts[0], "rwm"
    if len(parts) == 3:
        inside, rights = parts[1] or source, parts[2]
    elif len(parts) == 2 and parts[1] and set(parts[1]) <= set("rwm"):
        rights = parts[1]
    elif len(parts) == 2 and parts[1]:
        inside = parts[1]
    if not set(rights) <= set("rwm"):
        raise ValueError(f"invalid device mode: {rights}")
    return {"PathOnHost": source, "PathInContainer": inside, "CgroupPermissions": rights}


def is_cdi(text: str) -> bool:
    """Whether a device is a qualified CDI name, `vendor.com/class=name`."""
    kind, equals, name = text.partition("=")
    return bool(equals and name) and "/" in kind and not kind.startswith("/")


def health_action(text: str) -> str:
    """What happens to an unhealthy container."""
    if text not in {"none", "restart", "stop", "kill"}:
        raise ValueError(f"{text}: none, restart, stop or kill is wanted")
    return text


def gpus(text: str) -> DeviceRequest:
    """`all`, `2`, or fields as in a line of CSV: `device=GPU-1,driver=nvidia,"capabilities=compute,utility"`."""
    import csv

    made: DeviceRequest = {
        "Driver": "",
        "Count": 0,
        "DeviceIDs": None,
        "Capabilities": [["gpu"]],
        "Options": {},
    }
    given: set[str] = set()
    for field in next(csv.reader([text]), []):
        key, equals, value = field.partition("=")
        key, value = (key, value) if equals else ("count", key)
        if key in given:
            raise ValueError(f"gpu request key '{key}' can be specified only once")
        given.add(key)
        _gpu_field(made, key, value)
    if "count" not in given and made["DeviceIDs"] is None:
        made["Count"] = 1
    return made


def _gpu_field(made: DeviceRequest, key: str, value: str) -> None:
    match key:
        case "count" if value == "all":
            made["Count"] = -1
        case "count" if value.lstrip("-").isdecimal():
            made["Count"] = int(value)
        case "count":
            raise ValueError(f'invalid count ({value}): value must be either "all" or an integer')
        case "driver":
            made["Driver"] = value
        case "device":
            made["DeviceIDs"] = value.split(",")
        case "capabilities":
            made["Capabilities"] = [[*value.split(","), "gpu"]]
        case "options":
            made["Options"] = dict(entry.partition("=")[::2] for entry in value.split(","))
        case _:
            raise ValueError(f"unexpected key '{key}' in '{key}={value}'")


def throttle(text: str) -> ThrottleDevice:
    """`/dev/sda:1mb`."""
    path, colon, rate = text.rpartition(":")
    if not colon or not path.startswith("/dev/"):
        raise ValueError(f"bad format: {text}")
    return {"Path": path, "Rate": parse_bytes(rate)}


def weight(text: str) -> WeightDevice:
    """`/dev/sda:500`."""
    path, colon, value = text.rpartition(":")
    if not colon or not path.startswith("/dev/"):
        raise ValueError(f"bad format: {text}")
    if not value.isdecimal() or (value != "0" and not 10 <= int(value) <= 1000):
        raise ValueError(f"invalid weight for device: {text}")
    return {"Path": path, "Weight": int(value)}


def mount(text: str) -> Mount:
    """`type=bind,source=/a,target=/b,readonly`, fields as in a line of CSV."""
    import csv

    made: Mount = {"Type": "volume"}
    for field in next(csv.reader([text]), []):
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals and key not in _FLAG_FIELDS:
            raise ValueError(f"invalid field '{field}' must be a key=value pair")
        _mount_field(made, key, value or "true", field)
    if not made.get("Target"):
        raise ValueError("target is required")
    return made


def _mount_field(made: Mount, key: str, value: str, field: str) -> None:
    match key:
        case "type":
            made["Type"] = value.lower()
        case "source" | "src":
            made["Source"] = os.path.abspath(value) if value.startswith(".") else value
        case "target" | "dst" | "destination":
            made["Target"] = value
        case "readonly" | "ro":
            made["ReadOnly"] = _boolean(key, value)
        case "consistency":
            made["Consistency"] = value.lower()
        case _ if key.startswith("bind-"):
            _bind_field(made, key, value, field)
        case _ if key.startswith("tmpfs-"):
            _tmpfs_field(made, key, value, field)
        case _ if key.startswith("volume-"):
            _volume_field(made, key, value, field)
        case "image-subpath":
            made["ImageOptions"] = {"Subpath": value}
        case _:
            raise ValueError(f"unexpected key '{key}' in '{field}'")


def _bind_field(made: Mount, key: str, value: str, field: str) -> None:
    options = made.get("BindOptions") or {}
    made["BindOptions"] = options
    match key:
        case "bind-propagation":
            options["Propagation"] = value.lower()
        case "bind-nonrecursive":
            options["NonRecursive"] = _boolean(key, value)
        case "bind-create-src":
            options["CreateMountpoint"] = _boolean(key, value)
        case "bind-recursive":
            _recursive(made, value)
        case _:
            raise ValueError(f"unexpected key '{key}' in '{field}'")


def _recursive(made: Mount, value: str) -> None:
    options = made.get("BindOptions") or {}
    match value:
        case "enabled":
            pass
        case "disabled":
            options["NonRecursive"] = True
        case "writable":
            options["ReadOnlyNonRecursive"] = True
        case "readonly":
            options["ReadOnlyForceRecursive"] = True
        case _:
            raise ValueError(
                f'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", or "readonly")'
            )


def _tmpfs_field(made: Mount, key: str, value: str, field: str) -> None:
    options = made.get("TmpfsOptions") or {}
    made["TmpfsOptions"] = options
    match key:
        case "tmpfs-size":
            options["SizeBytes"] = parse_bytes(value)
        case "tmpfs-mode":
            try:
                options["Mode"] = int(value, 8)
            except ValueError:
                raise ValueError(f"invalid value for {key}: {value}") from None
        case _:
            raise ValueError(f"unexpected key '{key}' in '{field}'")


def _volume_field(made: Mount, key: str, value: str, field: str) -> None:
    options = made.get("VolumeOptions") or {"DriverConfig": {}}
    made["VolumeOptions"] = options
    match key:
        case "volume-nocopy":
            options["NoCopy"] = _boolean(key, value)
        case "volume-opt":
            name, _, content = value.partition("=")
            driver = options.get("DriverConfig") or {}
            options["DriverConfig"] = {**driver, "Options": {**(driver.get("Options") or {}), name: content}}
        case "volume-subpath":
            options["Subpath"] = value
        case "volume-driver":
            options["DriverConfig"] = {**(options.get("DriverConfig") or {}), "Name": value}
        case "volume-label":
            name, _, content = value.partition("=")
            options["Labels"] = {**(options.get("Labels") or {}), name: content}
        case _:
            raise ValueError(f"unexpected key '{key}' in '{field}'")


def _boolean(key: str, value: str) -> bool:
    if value in ("1", "t", "true", "True", "TRUE", "T"):
        return True
    if value in ("0", "f", "false", "False", "FALSE", "F"):
        return False
    raise ValueError(f"invalid value for {key}: {value}")
