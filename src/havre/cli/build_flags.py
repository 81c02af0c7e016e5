"""The flags of `havre build`, and the query that they make: `docker build`'s, old and new."""

from __future__ import annotations

import os

from havre.cli.flags import Flag, Given, many, number, switch, text
from havre.cli.option_values import ulimit
from havre.cli.units import parse_bytes
from havre.client.errors import ClientError

FLAGS: tuple[Flag, ...] = (
    many("add-host", 'Add a custom host-to-IP mapping ("host:ip")'),
    many("allow", 'Allow extra privileged entitlement (e.g., "network.host", "security.insecure")', kind="stringArray"),
    many("build-arg", "Set build-time variables"),
    many("build-context", "Additional build contexts (e.g., name=path)", kind="stringArray"),
    text("builder", "Accepted and not used: there is one builder"),
    many(
        "cache-from",
        'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")',
        kind="stringArray",
    ),
    many(
        "cache-to",
        'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")',
        kind="stringArray",
    ),
    text("call", 'Set method for evaluating build ("build", "check", "outline", "targets")', default="build"),
    text("cgroup-parent", "Set the parent cgroup for the RUN instructions during build"),
    switch("check", 'Shorthand for "--call=check"'),
    switch("compress", "Accepted and not used: contexts travel as they are"),
    number("cpu-period", "Limit the CPU CFS (Completely Fair Scheduler) period"),
    number("cpu-quota", "Limit the CPU CFS (Completely Fair Scheduler) quota"),
    number("cpu-shares", "CPU shares (relative weight)", short="c"),
    text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    switch("disable-content-trust", "Accepted and not used", default=True),
    text("file", 'Name of the Dockerfile (default: "PATH/Dockerfile")', short="f"),
    switch("force-rm", "Accepted and not used: nothing is left in any case"),
    text("iidfile", "Write the image ID to a file"),
    text("isolation", "Accepted and not used"),
    many("label", "Set metadata for an image"),
    switch("load", "Accepted and not used: the image is always there after the build"),
    text("memory", "Memory limit", short="m", check=parse_bytes),
    text("memory-swap", "Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
    text("metadata-file", "Write build result metadata to a file"),
    text("network", "Set the networking mode for the RUN instructions during build", default="default"),
    switch("no-cache", "Do not use cache when building the image"),
    many("no-cache-filter", "Do not cache specified stages", kind="stringArray"),
    many("output", 'Output destination (format: "type=local,dest=path")', short="o", kind="stringArray"),
    text("platform", "Set target platform for build"),
    text("progress", 'Set type of progress output ("auto", "plain", "tty", "quiet")', default="auto"),
    text("provenance", "Accepted and not used: no attestation is made"),
    switch("pull", "Always attempt to pull all referenced images"),
    switch("push", 'Shorthand for "--output=type=registry"'),
    switch("quiet", "Suppress the build output and print image ID on success", short="q"),
    switch("rewrite-timestamp", "Let no file be younger than SOURCE_DATE_EPOCH"),
    switch("rm", "Accepted and not used: nothing is left in any case", default=True),
    text("sbom", "Accepted and not used: no attestation is made"),
    many("secret", 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")', kind="stringArray"),
    many("security-opt", "Security options"),
    text("shm-size", "Shared memory size for build containers", check=parse_bytes),
    switch("squash", "Squash newly built layers into a single new layer"),
    many("ssh", 'SSH agent socket to expose to the build (format: "default|<id>[=<socket>]")', kind="stringArray"),
    many("tag", 'Name and optionally a tag (format: "name:tag")', short="t"),
    text("target", "Set the target build stage to build"),
    many("ulimit", "Ulimit options", kind="ulimit", check=ulimit),
)
_NUMBERS = (("cpuperiod", "cpu-period"), ("cpuquota", "cpu-quota"), ("cpushares", "cpu-shares"))
_TEXTS = (
    ("cpusetcpus", "cpuset-cpus"),
    ("cpusetmems", "cpuset-mems"),
    ("cgroupparent", "cgroup-parent"),
    ("platform", "platform"),
    ("target", "target"),
)
_SWITCHES = (
    ("nocache", "no-cache"),
    ("pull", "pull"),
    ("squash", "squash"),
    ("rewritetimestamps", "rewrite-timestamp"),
)


def query_of(given: Given) -> list[tuple[str, str]]:
    """The query of POST /build, without what depends on the context. Raises ClientError."""
    import json

    fields = [("t", name) for name in given.many("tag")]
    fields += [("extrahosts", host.replace("=", ":", 1)) for host in given.many("add-host")]
    fields += [("nocachefilter", name) for value in given.many("no-cache-filter") for name in value.split(",")]
    fields += [("allow", name) for name in given.many("allow")]
    fields += [(key, "1") for key, name in _SWITCHES if given.switch(name)]
    fields += [(key, given.text(name)) for key, name in _TEXTS if given.text(name)]
    fields += [(key, str(given.number(name))) for key, name in _NUMBERS if given.number(name)]
    for key, name in (("memory", "memory"), ("memswap", "memory-swap"), ("shmsize", "shm-size")):
        if value := given.text(name):
            fields.append((key, "-1" if value == "-1" else str(parse_bytes(value))))
    if given.text("network") not in ("", "default"):
        fields.append(("networkmode", given.text("network")))
    if arguments := _arguments(given):
        fields.append(("buildargs", json.dumps(arguments)))
    if labels := dict(label.partition("=")[::2] for label in given.many("label")):
        fields.append(("labels", json.dumps(labels)))
    if options := given.many("security-opt"):
        fields.append(("securityopt", json.dumps(options)))
    if limits := [ulimit(value) for value in given.many("ulimit")]:
        fields.append(("ulimits", json.dumps(limits)))
    return fields


def _arguments(given: Given) -> dict[str, str]:
    """`--build-arg`, those without a value from this environment; SOURCE_DATE_EPOCH is taken over."""
    arguments = {}
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        arguments["SOURCE_DATE_EPOCH"] = epoch
    for text_given in given.many("build-arg"):
        name, equals, value = text_given.partition("=")
        if equals:
            arguments[name] = value
        elif name in os.environ:
            arguments[name] = os.environ[name]
    return arguments


def csv_fields(value: str, flag: str) -> dict[str, str]:
    """`a=b,c=d` as a line of CSV. Raises ClientError."""
    import csv

    fields = {}
    for field in next(csv.reader([value]), []):
        key, equals, content = field.partition("=")
        if not equals:
            raise ClientError(
                f'invalid value "{value}" for flag --{flag}: invalid field "{field}" must be a key=value pair'
            )
        fields[key.strip().lower()] = content
    return fields
