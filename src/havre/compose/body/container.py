"""From a service to the body of POST /containers/create; pure."""

from __future__ import annotations

from havre.compose.body.around import Surroundings
from havre.compose.body.endpoints import Endpoints, endpoints
from havre.compose.body.host_config import host_config
from havre.compose.body.storage import storage
from havre.compose.body.versions import ENDPOINT_MAC, ApiVersion
from havre.compose.hashes import contents_mark, service_hash
from havre.compose.model.names import (
    COMPOSE_VERSION,
    CONFIG_FILES,
    CONFIG_HASH,
    CONTENTS,
    DEPENDS_ON,
    ENVIRONMENT_FILE,
    IMAGE,
    NUMBER,
    ONEOFF,
    PROJECT,
    REPLACE,
    SERVICE,
    SLUG,
    VERSION,
    WORKING_DIR,
)
from havre.compose.model.parts import Healthcheck
from havre.compose.model.service import Service
from havre.wire.container_config import HealthConfig
from havre.wire.containers import CreateContainer


def create_body(service: Service, number: int, around: Surroundings) -> tuple[CreateContainer, Endpoints]:
    """The request, and the networks to be joined after it. Raises ComposeError for what cannot be asked for."""
    networks = endpoints(service, number, around)
    mounted = storage(service, around.project, around.inherited, around.socket)
    host = host_config(service, around.containers)
    host["NetworkMode"] = networks.mode
    host["Binds"], host["Mounts"] = mounted.binds, mounted.mounts
    if networks.host_links:
        host["Links"] = networks.host_links
    if around.oneoff is not None and around.oneoff.removed:
        host["AutoRemove"], host["RestartPolicy"] = True, {"Name": "no", "MaximumRetryCount": 0}
    body: CreateContainer = {
        "Hostname": service.hostname,
        "Domainname": service.domainname,
        "User": service.user,
        "Tty": service.tty,
        "OpenStdin": service.stdin_open,
        "StdinOnce": service.stdin_open and around.oneoff is not None,
        "AttachStdin": service.stdin_open and around.oneoff is not None,
        "AttachStdout": True,
        "AttachStderr": True,
        "Env": [key if value is None else f"{key}={value}" for key, value in service.environment.items()],
        "Image": around.project.image_of(service),
        "WorkingDir": service.working_dir,
        "Labels": {**service.labels, **labels(service, number, around)},
        "ExposedPorts": {port: {} for port in _exposed(service)},
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": networks.at_create},
    }
    _optional(service, body, mounted.volumes, around.api)
    return body, networks


def _optional(service: Service, body: CreateContainer, volumes: list[str], api: ApiVersion) -> None:
    if service.command is not None:
        body["Cmd"] = list(service.command)
    if service.entrypoint is not None:
        body["Entrypoint"] = list(service.entrypoint) or [""]
    if service.stop_signal:
        body["StopSignal"] = service.stop_signal
    if service.stop_grace_period is not None:
        body["StopTimeout"] = -(-int(service.stop_grace_period) // 10**9)
    if health := _health(service.healthcheck):
        body["Healthcheck"] = health
    if volumes:
        body["Volumes"] = {path: {} for path in volumes}
    if service.mac_address and api < ENDPOINT_MAC:
        body["MacAddress"] = service.mac_address


def labels(service: Service, number: int, around: Surroundings) -> dict[str, str]:
    """Compose's own labels: by them the next command finds the container again."""
    project = around.project
    made = {
        PROJECT: project.name,
        SERVICE: service.name,
        ONEOFF: "True" if around.oneoff else "False",
        CONFIG_HASH: service_hash(service, around.containers),
        WORKING_DIR: project.working_dir,
        CONFIG_FILES: ",".join(project.files),
        IMAGE: around.image_id,
        DEPENDS_ON: ",".join(
            f"{name}:{dependency.condition}:{str(dependency.restart).lower()}"
            for name, dependency in service.depends_on.items()
        ),
        VERSION: COMPOSE_VERSION,
    }
    if around.oneoff:
        made[SLUG] = around.oneoff.slug
    else:
        made[NUMBER] = str(number)
    if project.env_files:
        made[ENVIRONMENT_FILE] = ",".join(project.env_files)
    if service.secrets or service.configs:
        made[CONTENTS] = contents_mark(service, project)
    if around.replaces:
        made[REPLACE] = around.replaces
    return made


def _exposed(service: Service) -> list[str]:
    found = [f"{port.target}/{port.protocol}" for port in service.ports]
    for entry in service.expose:
        port, _, protocol = entry.partition("/")
        first, dash, last = port.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            found.append(entry)  # the engine tells what is wrong with it
            continue
        found += [f"{number}/{protocol or 'tcp'}" for number in range(int(first), int(last or first) + 1)]
    return list(dict.fromkeys(found))


def _health(check: Healthcheck | None) -> HealthConfig | None:
    if check is None:
        return None
    if check.disable:
        return {"Test": ["NONE"]}
    made: HealthConfig = {}
    if check.test:
        made["Test"] = list(check.test)
    if check.interval is not None:
        made["Interval"] = int(check.interval)
    if check.timeout is not None:
        made["Timeout"] = int(check.timeout)
    if check.start_period is not None:
        made["StartPeriod"] = int(check.start_period)
    if check.start_interval is not None:
        made["StartInterval"] = int(check.start_interval)
    if check.retries is not None:
        made["Retries"] = check.retries
    return made
