"""Which program makes a base image from a distribution's own packages, and with which arguments; pure."""

import re
from dataclasses import dataclass

from havre.base.errors import InvalidInput, NotSupported

_WORD = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}\Z", re.ASCII)
_COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "universe"), "kali": ("main",), "devuan": ("main",)}
_SUITES = {
    "debian": {"latest": "stable", "10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"},
    "ubuntu": {"20.04": "focal", "22.04": "jammy", "24.04": "noble", "latest": "noble", "rolling": "noble"},
    "kali": {"latest": "kali-rolling"},
    "devuan": {"latest": "stable"},
}


@dataclass(frozen=True, slots=True)
class Source:
    """One apt source of this machine: where packages are, for which suite, signed by which key ring."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The *arguments* of the program to run; it leaves a tar at *output* (mmdebstrap) or a tree (debootstrap)."""

    distribution: str
    suite: str
    arguments: tuple[str, ...]
    makes_tree: bool


def read_sources(text: str) -> tuple[Source, ...]:
    """The binary sources of one file of apt, in either of its two forms (sources.list(5))."""
    one_line = [found for line in text.splitlines() if (found := _one_line(line)) is not None]
    stanzas = [source for part in re.split(r"\n[ \t]*\n", text) for source in _stanza(part)]
    return (*one_line, *stanzas)


def plan_bootstrap(
    reference: str, output: str, *, sources: tuple[Source, ...], programs: frozenset[str], architecture: str = ""
) -> Plan:
    """How to make *reference*, `distribution:suite`, at the path *output*.

    *sources* are the machine's own: the one that carries the suite is used with its key ring, else one
    of the same distribution. *programs* are those of `mmdebstrap` and `debootstrap` that are installed.
    Raises InvalidInput for what is no such name, NotSupported for an unknown distribution, without a source of it
    on this machine, or without a program.
    """
    distribution, _, suite = reference.partition(":")
    suite = suite or "latest"
    if not _WORD.match(distribution) or not _WORD.match(suite):
        raise InvalidInput(f"invalid base image {reference[:100]!r}: distribution:suite expected, as debian:bookworm")
    if distribution not in _COMPONENTS:
        known = ", ".join(sorted(_COMPONENTS))
        raise NotSupported(f"cannot bootstrap {distribution!r}: known distributions are {known}")
    base = suite.removesuffix("-slim")
    suite = _SUITES[distribution].get(base, base)
    source = _source(distribution, suite, sources)
    if "mmdebstrap" in programs:
        return Plan(distribution, suite, _mmdebstrap(suite, output, source, architecture), makes_tree=False)
    if "debootstrap" in programs:
        return Plan(distribution, suite, _debootstrap(suite, output, source, architecture), makes_tree=True)
    raise NotSupported("neither mmdebstrap nor debootstrap is installed (try: apt-get install mmdebstrap)")


def _source(distribution: str, suite: str, sources: tuple[Source, ...]) -> Source:
    for source in sources:
        if source.suite == suite and distribution in source.uri and "security" not in source.uri:
            return source
    near = next((one for one in sources if one.uri.rstrip("/").endswith(f"/{distribution}")), None)
    if near is None:
        raise NotSupported(f"no apt source of this machine carries {distribution} {suite}")
    return Source(near.uri, suite, _COMPONENTS[distribution], near.signed_by)


def _mmdebstrap(suite: str, output: str, source: Source, architecture: str) -> tuple[str, ...]:
    options = ["--variant=minbase", "--quiet", "--format=tar"]
    options += [f"--components={','.join(source.components or ('main',))}"]
    options += [f"--architectures={architecture}"] if architecture else []
    options += [f"--keyring={source.signed_by}"] if source.signed_by else []
    return ("mmdebstrap", *options, "--", suite, output, source.uri)


def _debootstrap(suite: str, output: str, source: Source, architecture: str) -> tuple[str, ...]:
    options = ["--variant=minbase", f"--components={','.join(source.components or ('main',))}"]
    options += [f"--arch={architecture}"] if architecture else []
    options += [f"--keyring={source.signed_by}"] if source.signed_by else []
    return ("debootstrap", *options, suite, output, source.uri)


def _one_line(line: str) -> Source | None:
    found = re.match(r"deb[ \t]+(?:\[([^\]]*)\][ \t]+)?(\S+)[ \t]+(\S+)([^#]*)", line)
    if found is None:
        return None
    options, uri, suite, components = found.groups()
    signed = re.search(r"signed-by=(\S+)", options or "")
    return Source(uri, suite, tuple(components.split()), signed.group(1) if signed else "")


def _stanza(text: str) -> list[Source]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() and not line.startswith(("#", " ", "\t")):
            fields[name.strip().lower()] = value.strip()
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
        return []
    signed = fields.get("signed-by", "")
    return [
        Source(uri, suite, tuple(fields.get("components", "").split()), signed if signed.startswith("/") else "")
        for uri in fields.get("uris", "").split()
        for suite in fields.get("suites", "").split()
    ]
