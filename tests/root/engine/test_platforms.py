"""Images of several platforms: pulled, shown, pushed, saved, loaded and removed by docker, against docker-registry."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.debian_registry import Registry
from tests.support.engines import Engine, Havre, Reference
from tests.support.oci_images import Image, image, index, write_layout

pytestmark = pytest.mark.root
NOTE = """
 Info -> Not all multiplatform-content is present and only the available single-platform image was pushed
         {} -> {}
"""
ARCHITECTURES = ("amd64", "arm64", "s390x")


def made(folder: Path, plain: Registry, name: str) -> tuple[Image, list[Image]]:
    """An index in the registry under *name*, and its images."""
    images = [image(1, architecture=one) for one in ARCHITECTURES]
    listing = index(*images)
    listing.blobs = [data for one in images for data in (one.manifest, *one.blobs)]
    layout = write_layout(folder / "layout", listing, "x")
    plain.host.run("skopeo", "copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:x", f"docker://{name}")
    return listing, images


def pull(engine: Engine, name: str, *architectures: str) -> None:
    for one in architectures:
        engine.out("pull", "--platform", f"linux/{one}", name)


def raw(plain: Registry, name: str) -> bytes:
    done = plain.host.run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}")
    return done.stdout.encode()


def shown(havre: Havre, name: str) -> dict[str, Any]:
    found: dict[str, Any] = havre.api("1.48").get(f"/images/{name}/json?manifests=1").json
    return found


def architecture(engine: Engine, *words: str) -> str:
    return engine.out("image", "inspect", "-f", "{{.Architecture}}", *words)


def test_what_is_here_of_an_index_is_told(havre: Havre, other: Reference, plain: Registry, tmp_path: Path) -> None:
    name = f"{plain.name}/told:1"
    listing, images = made(tmp_path, plain, name)
    pull(havre, name, "amd64")
    pull(other, name, "amd64")
    digests = "{{json .RepoDigests}}"
    assert havre.out("inspect", "-f", digests, name) == other.out("inspect", "-f", digests, name)
    found = shown(havre, name)
    assert found["RepoDigests"] == [f"{plain.name}/told@{listing.digest}"]
    assert found["Descriptor"]["digest"] == listing.digest
    assert [one["ID"] for one in found["Manifests"]] == [one.digest for one in images]
    assert [one["Available"] for one in found["Manifests"]] == [True, False, False]
    size = found["Manifests"][0]["Size"]["Content"]
    assert size == len(images[0].manifest) + sum(map(len, images[0].blobs))
    for start in (havre.docker, havre.havre):
        tree = start("image", "ls", "--tree", name, check=True).stdout.decode()
        assert all(f"linux/{one}" in tree for one in ARCHITECTURES)
    assert "Manifests" not in havre.api("1.46").get("/images/json?manifests=1").json[0]
    both = havre.api("1.48").get(f"/images/{name}/json?manifests=1&platform=%7B%22os%22%3A%22linux%22%7D")
    assert both.status == 400


def test_platforms_share_a_name(havre: Havre, plain: Registry, tmp_path: Path) -> None:
    name = f"{plain.name}/share:1"
    made(tmp_path, plain, name)
    pull(havre, name, *ARCHITECTURES)
    assert len(havre.out("images", "-q", f"{plain.name}/share").split()) == 1
    assert havre.out("images", "-q", "--filter", "dangling=true") == ""
    havre.out("image", "prune", "-f")
    havre.kill()
    havre.start()
    for one in ARCHITECTURES:
        assert architecture(havre, "--platform", f"linux/{one}", name) == one
        identifier = havre.out("create", "--platform", f"linux/{one}", name, "x")
        assert architecture(havre, havre.out("inspect", "-f", "{{.Image}}", identifier)) == one
        havre.out("rm", identifier)
        archive = tmp_path / f"{one}.tar"
        havre.out("save", "--platform", f"linux/{one}", "-o", str(archive), name)
        assert skopeo_architecture(archive) == one
    missing = havre.docker("save", "--platform", "linux/riscv64", name)
    assert missing.returncode == 1
    assert "does not provide the specified platform (linux/riscv64)" in missing.stderr.decode()
    container = havre.out("create", "--platform", "linux/arm64", name, "x")
    refused = havre.docker("rmi", name)
    assert "(must force) - container " + container[:12] in refused.stderr.decode()
    havre.out("rm", container)
    havre.out("rmi", "--platform", "linux/s390x", name)  # the one that has the names
    assert [one["Available"] for one in shown(havre, name)["Manifests"]] == [True, True, False]
    havre.out("rmi", name)
    assert havre.out("images", "-aq", f"{plain.name}/share") == ""
    assert havre.out("images", "-aq", "--filter", "dangling=true") == ""


def skopeo_architecture(archive: Path) -> str:
    line = ["skopeo", "inspect", "--config", "--raw", f"docker-archive:{archive}"]
    found: str = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)["architecture"]
    return found


def test_a_push_sends_the_whole_index_or_tells_that_it_did_not(
    havre: Havre, other: Reference, plain: Registry, tmp_path: Path
) -> None:
    name, copy = f"{plain.name}/whole:1", f"{plain.name}/copy:1"
    listing, images = made(tmp_path, plain, name)
    pull(havre, name, "arm64", "amd64")
    havre.out("tag", name, copy)
    for start in (havre.docker, havre.havre):
        said = re.sub(r"\x1b\[\d*m", "", start("push", copy, check=True).stdout.decode())
        assert said.endswith(NOTE.format(listing.digest, images[0].digest)), said
    assert raw(plain, copy) == images[0].manifest
    havre.out("push", "--platform", "linux/arm64", f"{plain.name}/copy:1")
    assert raw(plain, copy) == images[1].manifest
    again = f"{plain.name}/whole:2"  # its registry has what is not here
    havre.out("tag", name, again)
    assert f"digest: {listing.digest}" in havre.out("push", again)
    assert raw(plain, again) == listing.manifest
    pull(havre, name, "s390x", "amd64")
    havre.out("tag", name, copy)
    assert f"digest: {listing.digest}" in havre.out("push", copy)
    assert raw(plain, copy) == listing.manifest
    pull(other, copy, "s390x")
    assert other.out("inspect", "-f", "{{json .RepoDigests}}", copy) == f'["{plain.name}/copy@{listing.digest}"]'
    assert f"{plain.name}/copy@{listing.digest}" in shown(havre, copy)["RepoDigests"]


def test_an_archive_brings_all_its_platforms(havre: Havre, plain: Registry, tmp_path: Path) -> None:
    name = f"{plain.name}/archive:1"
    images = [image(1, architecture=one) for one in ARCHITECTURES]
    listing = index(*images)
    listing.blobs = [data for one in images for data in (one.manifest, *one.blobs)]
    layout = write_layout(tmp_path / "layout", listing, name)
    archive = tmp_path / "layout.tar"
    subprocess.run(["tar", "-C", str(layout), "-cf", str(archive), "."], check=True)
    assert havre.out("load", "-q", "-i", str(archive)) == f"Loaded image: {name}"
    assert architecture(havre, name) == "amd64"
    assert architecture(havre, "--platform", "linux/arm64", name) == "arm64"
    assert f"digest: {listing.digest}" in havre.out("push", name)
    assert raw(plain, name) == listing.manifest
    havre.out("rmi", name)
    assert havre.out("load", "-q", "--platform", "linux/s390x", "-i", str(archive)) == f"Loaded image: {name}"
    assert [one["Available"] for one in shown(havre, name)["Manifests"]] == [False, False, True]
