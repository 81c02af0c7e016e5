from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.kernel.overlay_options import lower_folders, short_options, takes_layers


@pytest.mark.parametrize("release", ["6.7", "6.7-rc3", "6.18.35-cloud", "7.0.1", "unknown"])
def test_newer_kernels_take_layers_one_by_one(release: str) -> None:
    assert takes_layers(release)


@pytest.mark.parametrize("release", ["6.1.0-56-amd64", "5.14.0-503.el9.x86_64", "6.6.87"])
def test_older_kernels_want_them_at_once(release: str) -> None:
    assert not takes_layers(release)


def test_layers_are_named_from_the_folder_they_share() -> None:
    folder, data = short_options(["/data/l/AA", "/data/l/BB", "/data/empty"], [("upperdir", "/up"), ("xino", "")])
    assert folder == "/data"
    assert data == "lowerdir=l/AA:l/BB:empty,upperdir=/up,xino"


def test_a_single_layer_is_named_from_its_own_folder() -> None:
    assert short_options(["/data/l/AA"]) == ("/data/l", "lowerdir=AA")


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\\b"])
def test_a_name_that_the_text_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        short_options(["/data/x", f"/data/{name}"])


def test_what_does_not_fit_a_page_is_refused() -> None:
    assert len(short_options([f"/data/{number:06}" for number in range(500)])[1]) < 4096
    with pytest.raises(InvalidInput, match="600 folders"):
        short_options([f"/data/{number:06}" for number in range(600)])


def test_the_layers_of_an_overlay() -> None:
    assert lower_folders(["lowerdir=/l/A:/l/B", "upperdir=/u"]) == ["/l/A", "/l/B"]
