"""`havre compose build`: build the images of services."""

from __future__ import annotations

import json

from msgspec.structs import replace

from havre.cli.compose.building import ContextBuilder
from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.flags import Given, many, switch, text
from havre.cli.units import parse_bytes
from havre.compose.carry_out.images import Images
from havre.compose.errors import ComposeError
from havre.compose.model.build import Build
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.model.show import shown


def act(given: Given, session: Session) -> int:
    """Those that have a build section; flags win over the file."""
    for flag in ("check", "sbom", "provenance", "builder"):
        if given.changed(flag) and given.text(flag) not in ("", "false"):
            raise ComposeError(f"--{flag} is not supported")
    project = session.project(given.args)
    chosen = with_dependencies(project, given.args) if given.switch("with-dependencies") or not given.args else {
        name: project.services[name] for name in given.args
    }  # fmt: skip
    args = _args(given.many("build-arg"), project)
    services = {name: _with_flags(service, given, args) for name, service in chosen.items() if service.build}
    if given.switch("print"):
        session.screen.line(json.dumps({name: shown(one.build) for name, one in services.items()}, indent=2))
        return 0
    project = replace(project, services={**project.services, **services})
    if not services:
        session.progress.note("No services to build")
        return 0
    if session.dry:
        return 0
    builder = ContextBuilder(session, project, memory=parse_bytes(given.text("memory") or "0"))
    images = Images(project, session.clients, session.progress, builder)
    images.build(services.values(), quiet=given.switch("quiet"))
    if given.switch("quiet"):
        for service in services.values():
            session.screen.line(project.image_of(service))
    if given.switch("push"):
        images.push([service for service in services.values() if service.image])
    return 0


def _args(entries: list[str], project: Project) -> dict[str, str]:
    found = {}
    for entry in entries:
        name, sign, value = entry.partition("=")
        if sign or name in project.environment:
            found[name] = value if sign else project.environment[name]
    return found


def _with_flags(service: Service, given: Given, args: dict[str, str]) -> Service:
    build = service.build or Build()
    return replace(
        service,
        build=replace(
            build,
            args={**build.args, **args},
            no_cache=build.no_cache or given.switch("no-cache"),
            pull=build.pull or given.switch("pull"),
            ssh={**build.ssh, **({given.text("ssh"): ""} if given.text("ssh") else {})},
        ),
    )


VERB = Verb(
    summary="Build or rebuild services",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        many("build-arg", "Set build-time variables for services", kind="stringArray"),
        text("builder", "Set builder to use"),
        switch("check", "Check build configuration"),
        switch("compress", "Compress the build context using gzip. DEPRECATED", default=True),
        switch("force-rm", "Always remove intermediate containers. DEPRECATED", default=True),
        text("memory", "Set memory limit for the build container. Not supported by BuildKit.", short="m"),
        switch("no-cache", "Do not use cache when building the image"),
        switch("no-rm", "Do not remove intermediate containers after a successful build. DEPRECATED"),
        switch("parallel", "Build images in parallel. DEPRECATED", default=True),
        switch("print", "Print equivalent bake file"),
        text("progress", "Set type of ui output (auto, tty, plain, json, quiet)"),
        text("provenance", "Add a provenance attestation"),
        switch("pull", "Always attempt to pull a newer version of the image"),
        switch("push", "Push service images"),
        switch("quiet", "Suppress the build output", short="q"),
        text("sbom", "Add a SBOM attestation"),
        text("ssh", "Set SSH authentications used when building service images. (use 'default' for\n"
             "using your default SSH Agent)"),
        switch("with-dependencies", "Also build dependencies (transitively)"),
    ),
    act=act,
)  # fmt: skip
