"""Changing the limits and the restart policy of a container, also while it runs, by Docker's rules."""

from contextlib import suppress
from typing import Final

from msgspec.structs import asdict, replace

from havre.base.errors import Conflict, HavreError, InternalError
from havre.engine.device_nodes import block_number
from havre.engine.host import HostFacts
from havre.engine.lacking import supported
from havre.engine.lifecycle import State
from havre.engine.limits_check import check_limits
from havre.engine.limits_spec import resources
from havre.engine.parts import Parts
from havre.engine.recreate import recreate
from havre.engine.reshape import parse_shape
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.settings import HostConfig, parse_host
from havre.engine.validate import check_policy
from havre.kernel.libc import KernelError
from havre.oci.runtime_spec import PidsLimit, Resources
from havre.runtime.errors import NoSuchProcess, ShimGone
from havre.wire.containers import UpdateContainer, UpdateResponse

_CHANGEABLE: Final = (
    "blkio_weight",
    "cpu_shares",
    "cpu_period",
    "cpu_quota",
    "cpu_realtime_period",
    "cpu_realtime_runtime",
    "nano_cpus",
    "cpuset_cpus",
    "cpuset_mems",
    "memory",
    "memory_swap",
    "memory_reservation",
    "pids_limit",
)
_GOING: Final = frozenset({State.REMOVING, State.DEAD})


async def update(parts: Parts, container: Container, wanted: UpdateContainer) -> UpdateResponse:
    """Change what *wanted* names, in the kernel and durably. Raises InvalidInput, Conflict, InternalError.

    When it raises, the record says what it said before.
    """
    asked = parse_host({"HostConfig": {**wanted}})  # type: ignore[typeddict-item]  # a part of it
    wish, dropped = supported(asked, parts.facts)
    shape = parse_shape(wanted, wish)
    async with container.lock:
        warnings = dropped + _checked(parts, container, wish)
        await _tell_kernel(parts, container, wish)
        parts.keep(container, replace(container.record, host=joined(container.record.host, wish)))
        await parts.records.save(container.record)
    if shape is not None:
        warnings += await recreate(parts, container, shape)
    parts.tell(container, "update")
    return {"Warnings": warnings or None}


def _checked(parts: Parts, container: Container, wish: HostConfig) -> list[str]:
    """The warnings that *wish* deserves. Raises NoSuchContainer, InvalidInput, Conflict."""
    if container.gone:
        raise NoSuchContainer(f"No such container: {container.id}")
    if container.record.state in _GOING:
        raise Conflict(
            f'Cannot update container {container.id}: container is marked for removal and cannot be "update".'
        )
    try:
        return check_wish(container.record.host, wish, parts.facts)
    except Conflict as refused:
        raise Conflict(f"Cannot update container {container.id}: {refused.message}") from None


async def _tell_kernel(parts: Parts, container: Container, wish: HostConfig) -> None:
    """Change the limits of what runs, all or none. Raises Conflict when it has ended, InternalError."""
    host = container.record.host
    limits = limits_of(host, wish, parts.facts)
    if container.shim is None or not container.record.alive or limits == Resources():
        return
    try:
        await container.shim.update(limits)
    except (ShimGone, NoSuchProcess) as gone:  # nothing is left that could be put back
        raise Conflict(f"Cannot update container {container.id}: {gone}") from gone
    except (HavreError, KernelError) as refused:
        await _put_back(container, host, wish, parts.facts)
        raise InternalError(f"Cannot update container {container.id}: {refused}") from refused


async def _put_back(container: Container, host: HostConfig, wish: HostConfig, facts: HostFacts) -> None:
    """The limits before the failing one were written: say again what was, as far as something was said."""
    changed = {name: getattr(host, name) for name in _CHANGEABLE if getattr(wish, name)}
    with suppress(HavreError, KernelError):
        if container.shim is not None:
            await container.shim.update(limits_of(host, replace(HostConfig(), **changed), facts))


def check_wish(host: HostConfig, wish: HostConfig, facts: HostFacts) -> list[str]:
    """The warnings that *wish* deserves on a container with *host*. Raises InvalidInput, Conflict."""
    check_policy(wish)
    # Alone, a limit of memory plus swap is a change of what is there: it is measured against the memory in force.
    whole = replace(wish, memory=wish.memory or host.memory) if wish.memory_swap else wish
    warnings = check_limits(whole, facts)
    for name, other, text in (
        ("nano_cpus", "cpu_period", "Nano CPUs cannot be updated as CPU Period has already been set"),
        ("nano_cpus", "cpu_quota", "Nano CPUs cannot be updated as CPU Quota has already been set"),
        ("cpu_period", "nano_cpus", "CPU Period cannot be updated as NanoCPUs has already been set"),
        ("cpu_quota", "nano_cpus", "CPU Quota cannot be updated as NanoCPUs has already been set"),
    ):
        if getattr(wish, name) > 0 and getattr(host, other) > 0:
            raise Conflict(f"Conflicting options: {text}")
    if wish.memory and not wish.memory_swap and host.memory_swap != -1 and wish.memory > host.memory_swap:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    if host.auto_remove and wish.restart_policy.name not in {"", "no"}:
        raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
    return warnings


def joined(host: HostConfig, wish: HostConfig) -> HostConfig:
    """*host* with what *wish* names; zero and empty leave things as they are."""
    changed = {name: value for name, value in asdict(wish).items() if name in _CHANGEABLE and value}
    if wish.pids_limit is not None and wish.pids_limit < 0:
        changed["pids_limit"] = None
    if wish.restart_policy.name:
        changed["restart_policy"] = wish.restart_policy
    return replace(host, **changed)


def limits_of(host: HostConfig, wish: HostConfig, facts: HostFacts) -> Resources:
    """What is to be written for *wish* alone; limits that depend on each other are written together."""
    named = {name: getattr(wish, name) for name in _CHANGEABLE if getattr(wish, name)}
    if wish.memory or wish.memory_swap:
        both = joined(host, wish)
        named.update(memory=both.memory, memory_swap=both.memory_swap)
    made = resources(replace(HostConfig(), **named), facts, (), block_number)
    unlimited = wish.pids_limit is not None and wish.pids_limit < 0
    return replace(made, devices=None, pids=PidsLimit(limit=-1) if unlimited else made.pids)
