"""What a container takes from its image where the user said nothing: pure, by Docker's rules."""

from msgspec.structs import replace

from havre.engine.settings import Config
from havre.oci.image_config import Healthcheck, ProcessConfig


def joined(config: Config, image: ProcessConfig) -> Config:
    """*config* with the image's settings below it."""
    entrypoint, cmd = _command(config, image)
    return replace(
        config,
        user=config.user or image.user,
        exposed_ports={**(image.exposed_ports or {}), **config.exposed_ports},
        env=_env(config, image),
        entrypoint=entrypoint,
        cmd=cmd,
        working_dir=config.working_dir or image.working_dir,
        labels={**(image.labels or {}), **config.labels},
        volumes={**(image.volumes or {}), **(config.volumes or {})} or config.volumes,
        stop_signal=config.stop_signal or image.stop_signal,
        healthcheck=_health(config.healthcheck, image.healthcheck),
        on_build=config.on_build,
        shell=config.shell or image.shell or [],
    )


def _command(config: Config, image: ProcessConfig) -> tuple[list[str] | None, list[str] | None]:
    """An entrypoint of the user's own makes the image's command void; an empty text takes the image's away."""
    entrypoint, cmd = config.entrypoint, config.cmd
    if not entrypoint:
        cmd = cmd or image.cmd
        if entrypoint is None:
            entrypoint = image.entrypoint
    return (None if entrypoint == [""] else entrypoint), cmd


def _env(config: Config, image: ProcessConfig) -> list[str] | None:
    """The user's variables first, then those of the image that the user did not name."""
    if not config.env:
        return image.env or config.env
    named = {entry.partition("=")[0] for entry in config.env}
    return [*config.env, *(entry for entry in image.env or () if entry.partition("=")[0] not in named)]


def _health(own: Healthcheck | None, image: Healthcheck | None) -> Healthcheck | None:
    if own is None or image is None:
        return own or image
    return replace(
        own,
        test=own.test or image.test,
        interval=own.interval or image.interval,
        timeout=own.timeout or image.timeout,
        start_period=own.start_period or image.start_period,
        start_interval=own.start_interval or image.start_interval,
        retries=own.retries or image.retries,
    )
