"""`havre update`: change the limits and the restart policy of containers."""

from __future__ import annotations

from havre.cli import option_values
from havre.cli.command import Command
from havre.cli.create_body import bind, environment, pairs, restart_policy
from havre.cli.create_flags import byte_count
from havre.cli.each import each
from havre.cli.flags import Flag, Given, many, number, text
from havre.cli.publishing import published
from havre.cli.screen import Screen
from havre.cli.units import parse_bytes, parse_cpus, parse_swap_bytes
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.containers import UpdateContainer, UpdateResponse


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print each name; warnings on standard error."""
    if not any(given.changed(flag.name) for flag in COMMAND.flags):
        raise ClientError("you must provide one or more flags when using this command")
    body = update_body(given)
    warnings: list[str] = []

    def update(name: str) -> None:
        answer = client.post(f"/containers/{name}/update", UpdateResponse, body=body)
        warnings.extend(answer.get("Warnings") or ())

    code = each(given.args, update, screen)
    if warnings:
        screen.error("\n".join(warnings))
    return code


def update_body(given: Given) -> UpdateContainer:
    """What the flags ask to change. Raises ClientError."""
    body: UpdateContainer = {
        "BlkioWeight": given.number("blkio-weight"),
        "CpuShares": given.number("cpu-shares"),
        "CpuPeriod": given.number("cpu-period"),
        "CpuQuota": given.number("cpu-quota"),
        "CpuRealtimePeriod": given.number("cpu-rt-period"),
        "CpuRealtimeRuntime": given.number("cpu-rt-runtime"),
        "CpusetCpus": given.text("cpuset-cpus"),
        "CpusetMems": given.text("cpuset-mems"),
        "Memory": parse_bytes(given.text("memory")),
        "MemoryReservation": parse_bytes(given.text("memory-reservation")),
        "MemorySwap": parse_swap_bytes(given.text("memory-swap")),
        "NanoCpus": parse_cpus(given.text("cpus") or "0"),
    }
    if given.changed("pids-limit"):
        body["PidsLimit"] = given.number("pids-limit")
    if given.text("restart"):
        body["RestartPolicy"] = restart_policy(given.text("restart"))
    _reshape(given, body)
    return body


def _reshape(given: Given, body: UpdateContainer) -> None:
    """What Docker cannot change: environment, labels, mounts, published ports."""
    if env := [*environment(given), *given.many("env-rm")]:
        body["Env"] = env
    labels: dict[str, str | None] = {**pairs(given.many("label")), **dict.fromkeys(given.many("label-rm"))}
    if labels:
        body["Labels"] = labels
    ports = {**published(given.many("publish")), **dict.fromkeys(given.many("publish-rm"))}
    if ports:
        body["PortBindings"] = ports
    if binds := [bind(volume) if ":" in volume else volume for volume in given.many("volume")]:
        body["Binds"] = binds
    if mounts := [option_values.mount(entry) for entry in given.many("mount")]:
        body["Mounts"] = mounts
    if removed := given.many("mount-rm"):
        body["RemovedMounts"] = removed


COMMAND = Command(
    summary="Update configuration of one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    flags=(
        number("blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)"),
        number("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
        number("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
        number("cpu-rt-period", "Limit the CPU real-time period in microseconds"),
        number("cpu-rt-runtime", "Limit the CPU real-time runtime in microseconds"),
        number("cpu-shares", "CPU shares (relative weight)", short="c"),
        Flag("cpus", "Number of CPUs", kind="decimal", check=parse_cpus),
        text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
        text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
        byte_count("kernel-memory", "Kernel memory limit (deprecated)"),
        byte_count("memory", "Memory limit", short="m"),
        byte_count("memory-reservation", "Memory soft limit"),
        byte_count("memory-swap", "Swap limit equal to memory plus swap: -1 to enable unlimited swap", swap=True),
        number("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
        text("restart", "Restart policy to apply when a container exits"),
        many("env", "Set environment variables (starts the container again)", short="e"),
        many("env-file", "Read in a file of environment variables"),
        many("env-rm", "Take environment variables away"),
        many("label", "Set metadata", short="l"),
        many("label-rm", "Take labels away"),
        many(
            "mount", "Attach a filesystem mount (starts the container again)", kind="mount", check=option_values.mount
        ),
        many("mount-rm", "Take away what is mounted at a path"),
        many("publish", "Publish a port to the host (starts the container again)", short="p"),
        many("publish-rm", "Publish a port no more"),
        many("volume", "Bind mount a volume", short="v"),
    ),
    at_least=1,
    run=run,
)
