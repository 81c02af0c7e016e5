from __future__ import annotations

import pytest

from havre.kernel.netlink.links import LinkChange, add_bridge, change_link, delete_link, mac_bytes, random_mac


@pytest.mark.parametrize("name", ["", "a" * 16, "a/b", "a b", "a:b", ".", "..", "a\n", "a\0b"])
def test_names_that_the_kernel_would_refuse_or_cut_are_refused(name: str) -> None:
    for build in (add_bridge, delete_link, lambda bad: change_link(1, LinkChange(name=bad))):
        with pytest.raises(ValueError):
            build(name)


@pytest.mark.parametrize("mac", ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "0242ac110002", "02:42:ac:11:00:zz"])
def test_what_is_no_mac_address_is_refused(mac: str) -> None:
    with pytest.raises(ValueError):
        mac_bytes(mac)


def test_random_addresses_are_local_and_for_one_receiver() -> None:
    made = {random_mac() for _ in range(200)}
    assert len(made) == 200
    assert all(mac_bytes(mac)[0] & 0b11 == 0b10 for mac in made)
