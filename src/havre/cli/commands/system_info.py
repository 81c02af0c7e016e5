"""`havre info`: the daemon's view of itself and of this machine."""

from __future__ import annotations

from havre.base.version import VERSION
from havre.cli.command import Command
from havre.cli.flags import Given, text
from havre.cli.listing import rendered, unescaped
from havre.cli.screen import Screen
from havre.cli.units import show_memory
from havre.client.client import Client
from havre.wire.system import Info


def run(given: Given, client: Client, screen: Screen) -> int:
    """The lines of `docker info`; warnings on standard error."""
    info = client.get("/info", Info)
    form = given.text("format")
    if form:
        document = {**info, "ClientInfo": {"Debug": False, "Context": "default", "Plugins": [], "Warnings": None}}
        screen.line(rendered("{{json .}}" if form == "json" else unescaped(form), [document])[0])
        return 0
    screen.line("\n".join([*_client_lines(), "", "Server:", *(f" {line}" for line in server_lines(info))]))
    for warning in info.get("Warnings") or ():
        screen.error(warning)
    return 0


def _client_lines() -> list[str]:
    return ["Client: Havre", f" Version:    {VERSION}", " Context:    default", " Debug Mode: false"]


def server_lines(info: Info) -> list[str]:
    """The daemon's half."""
    lines = [
        f"Containers: {info.get('Containers')}",
        f" Running: {info.get('ContainersRunning')}",
        f" Paused: {info.get('ContainersPaused')}",
        f" Stopped: {info.get('ContainersStopped')}",
        f"Images: {info.get('Images')}",
        f"Server Version: {info.get('ServerVersion')}",
        f"Storage Driver: {info.get('Driver')}",
        *(f" {name}: {value}" for name, value in info.get("DriverStatus") or ()),
        f"Logging Driver: {info.get('LoggingDriver')}",
        f"Cgroup Driver: {info.get('CgroupDriver')}",
        f"Cgroup Version: {info.get('CgroupVersion')}",
    ]
    plugins = info.get("Plugins") or {}
    lines += ["Plugins:"]
    lines += [
        f" Volume: {' '.join(plugins.get('Volume') or ())}",
        f" Network: {' '.join(plugins.get('Network') or ())}",
    ]
    lines += [f" Log: {' '.join(plugins.get('Log') or ())}"]
    swarm = info.get("Swarm") or {}
    lines += [
        f"Swarm: {swarm.get('LocalNodeState') or 'inactive'}",
        f"Runtimes: {' '.join(sorted(info.get('Runtimes') or {}))}",
        f"Default Runtime: {info.get('DefaultRuntime')}",
        f"Init Binary: {info.get('InitBinary')}",
        "Security Options:",
    ]
    for option in info.get("SecurityOptions") or ():
        pairs = dict(part.partition("=")[::2] for part in option.split(","))
        lines += [f" {pairs.pop('name', option)}", *(f"  {key.capitalize()}: {value}" for key, value in pairs.items())]
    return lines + _machine_lines(info)


def _machine_lines(info: Info) -> list[str]:
    return [
        f"Kernel Version: {info.get('KernelVersion')}",
        f"Operating System: {info.get('OperatingSystem')}",
        f"OSType: {info.get('OSType')}",
        f"Architecture: {info.get('Architecture')}",
        f"CPUs: {info.get('NCPU')}",
        f"Total Memory: {show_memory(info.get('MemTotal') or 0)}",
        f"Name: {info.get('Name')}",
        f"ID: {info.get('ID')}",
        f"Docker Root Dir: {info.get('DockerRootDir')}",
        f"Debug Mode: {'true' if info.get('Debug') else 'false'}",
        f"Experimental: {'true' if info.get('ExperimentalBuild') else 'false'}",
        f"Live Restore Enabled: {'true' if info.get('LiveRestoreEnabled') else 'false'}",
    ]


COMMAND = Command(
    summary="Display system-wide information",
    usage="[OPTIONS]",
    flags=(text("format", "Format output using a custom template: json or TEMPLATE", short="f"),),
    at_most=0,
    run=run,
)
