from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput, NotSupported
from havre.cli.bootstrap import Source, plan_bootstrap, read_sources

DEB822 = """# snapshot
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://mirror.example/sources
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://one.example/ubuntu noble main universe # comment
deb-src http://one.example/ubuntu noble main
deb http://security.example/debian-security bookworm-security main
"""
BOTH = frozenset({"mmdebstrap", "debootstrap"})


def test_both_forms_of_sources_are_read() -> None:
    assert read_sources(DEB822) == (
        Source(
            "http://mirror.example/debian",
            "bookworm",
            ("main", "contrib"),
            "/usr/share/keyrings/debian-archive-keyring.gpg",
        ),
        Source(
            "http://mirror.example/debian",
            "bookworm-updates",
            ("main", "contrib"),
            "/usr/share/keyrings/debian-archive-keyring.gpg",
        ),
    )
    assert read_sources(ONE_LINE) == (
        Source("http://one.example/ubuntu", "noble", ("main", "universe"), "/k.gpg"),
        Source("http://security.example/debian-security", "bookworm-security", ("main",)),
    )


def test_the_machines_own_mirror_is_used() -> None:
    plan = plan_bootstrap("debian:bookworm", "/x.tar", sources=read_sources(DEB822), programs=BOTH)
    assert plan.arguments == (
        "mmdebstrap",
        "--variant=minbase",
        "--quiet",
        "--format=tar",
        "--components=main,contrib",
        "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
        "--",
        "bookworm",
        "/x.tar",
        "http://mirror.example/debian",
    )
    assert not plan.makes_tree


def test_another_suite_comes_from_the_same_mirror() -> None:
    plan = plan_bootstrap("debian:13-slim", "/x.tar", sources=read_sources(DEB822), programs=BOTH, architecture="arm64")
    assert plan.suite == "trixie"
    assert plan.arguments[-3:] == ("trixie", "/x.tar", "http://mirror.example/debian")
    assert "--architectures=arm64" in plan.arguments


def test_debootstrap_makes_a_tree() -> None:
    sources = (Source("http://mirror.example/ubuntu", "jammy", ("main",)),)
    plan = plan_bootstrap("ubuntu:24.04", "/tree", sources=sources, programs=frozenset({"debootstrap"}))
    assert plan.arguments == (
        "debootstrap",
        "--variant=minbase",
        "--components=main,universe",
        "noble",
        "/tree",
        "http://mirror.example/ubuntu",
    )
    assert plan.makes_tree


@pytest.mark.parametrize(
    "text", ["", ":", "Debian:x", "debian:../x", "debian:--help", "-x:y", "debian:a b", "debian:a\n"]
)
def test_no_names(text: str) -> None:
    with pytest.raises(InvalidInput):
        plan_bootstrap(text, "/x", sources=(), programs=BOTH)


def test_what_cannot_be_done() -> None:
    with pytest.raises(NotSupported, match="known distributions are debian"):
        plan_bootstrap("fedora:40", "/x", sources=(), programs=BOTH)
    with pytest.raises(NotSupported, match="no apt source of this machine carries debian bookworm"):
        plan_bootstrap("debian:bookworm", "/x", sources=(), programs=BOTH)
    with pytest.raises(NotSupported, match="apt-get install mmdebstrap"):
        plan_bootstrap("debian:bookworm", "/x", sources=read_sources(DEB822), programs=frozenset())
