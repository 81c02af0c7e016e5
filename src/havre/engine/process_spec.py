"""The process of a container or of an exec session: environment, capabilities, limits; pure."""

from collections.abc import Iterable
from typing import Final

from havre.engine.host import HostFacts
from havre.engine.model import Record
from havre.engine.security import chosen_capabilities, parse_security
from havre.engine.settings import HostConfig
from havre.oci.runtime_spec import Capabilities, ConsoleSize, Process, Rlimit
from havre.runtime import defaults

_UNLIMITED: Final = (1 << 64) - 1
_INIT_ARGS: Final = (defaults.INIT_TARGET, "--")


def container_process(record: Record, facts: HostFacts, hostname: str, linked: Iterable[str] = ()) -> Process:
    """The first process. Who it is, by number, is found out later from *record*'s user and the image's own files.

    *linked* are variables about other containers.
    """
    config, host = record.config, record.host
    tty = config.tty
    args = [*_INIT_ARGS, *record.args] if host.init else list(record.args)
    height, width = host.console_size
    return Process(
        terminal=tty,
        console_size=ConsoleSize(height=height, width=width) if tty and height and width else None,
        args=args,
        env=environment(hostname, (*linked, *(config.env or ())), tty=tty),
        cwd=config.working_dir or "/",
        capabilities=capability_sets(capabilities_of(host, facts)),
        rlimits=[
            Rlimit(type=f"RLIMIT_{limit.name.upper()}", hard=_limit(limit.hard), soft=_limit(limit.soft))
            for limit in host.ulimits or ()
        ],
        no_new_privileges=parse_security(host.security_opt or (), privileged=host.privileged).no_new_privileges,
        # An engine that may be killed early must not try to shield its containers, which takes a right it may lack.
        oom_score_adj=host.oom_score_adj or max(0, facts.oom_score_adj),
    )


def environment(hostname: str, wanted: Iterable[str], *, tty: bool) -> list[str]:
    """Docker's order: PATH, HOSTNAME, TERM, then the wishes; a later entry takes the place of an earlier one.

    A wish without `=` takes the variable away.
    """
    chosen = {"PATH": f"PATH={defaults.PATH}", "HOSTNAME": f"HOSTNAME={hostname}"}
    if tty:
        chosen["TERM"] = "TERM=xterm"
    return list(_merged(chosen, wanted).values())


def extended_environment(base: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """*base* with the wishes of an exec session over it."""
    return list(_merged({entry.partition("=")[0]: entry for entry in base}, wanted).values())


def _merged(chosen: dict[str, str], wanted: Iterable[str]) -> dict[str, str]:
    for entry in wanted:
        name, equals, _ = entry.partition("=")
        if equals:
            chosen[name] = entry
        else:
            chosen.pop(name, None)
    return chosen


def capabilities_of(host: HostConfig, facts: HostFacts) -> list[str]:
    """What the container may do; a privileged one as much as the engine itself."""
    if host.privileged:
        return sorted_all(facts)
    return chosen_capabilities(defaults.CAPABILITIES, host.cap_add or (), host.cap_drop or (), facts.capabilities)


def sorted_all(facts: HostFacts) -> list[str]:
    """Every capability that the engine has, by number."""
    return chosen_capabilities((), ("ALL",), (), facts.capabilities)


def capability_sets(names: list[str]) -> Capabilities:
    """Docker's sets: nothing inheritable, nothing ambient."""
    return Capabilities(bounding=names, effective=names, permitted=names, inheritable=[], ambient=[])


def _limit(value: int) -> int:
    return _UNLIMITED if value < 0 else value
