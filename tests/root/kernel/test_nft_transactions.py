from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from havre.kernel.netns import make_netns
from havre.kernel.nft import Nft, NftRefused
from tests.root.networks.world import fresh_namespace, rules

pytestmark = pytest.mark.root
_TABLE = {"family": "inet", "name": "probe"}


@pytest.fixture
def nft() -> Iterator[Nft]:
    with fresh_namespace(), Nft() as made:
        yield made


def test_a_transaction_is_done_whole(nft: Nft) -> None:
    nft.run([{"add": {"table": _TABLE}}, {"add": {"chain": {"family": "inet", "table": "probe", "name": "one"}}}])
    assert rules() == "table inet probe {\n\tchain one {\n\t}\n}\n"
    listed = nft.run([{"list": {"table": _TABLE}}])
    assert [kind for entry in listed for kind in entry] == ["metainfo", "table", "chain"]


def test_a_transaction_is_refused_whole(nft: Nft) -> None:
    with pytest.raises(NftRefused, match="No such file or directory") as caught:
        nft.run([{"add": {"table": _TABLE}}, {"delete": {"table": {"family": "inet", "name": "nosuch"}}}])
    assert caught.value.names_nothing
    assert rules() == ""


def test_what_makes_no_sense_is_told(nft: Nft) -> None:
    with pytest.raises(NftRefused, match="nftables: ") as caught:
        nft.run([{"add": {"chair": {"family": "inet"}}}])
    assert not caught.value.names_nothing
    nft.run([{"add": {"table": _TABLE}}])


def test_a_closed_context_refuses(nft: Nft) -> None:
    nft.close()
    nft.close()
    with pytest.raises(NftRefused, match="closed"):
        nft.run([])


def test_a_context_stays_where_it_was_made(nft: Nft) -> None:
    fd, there = make_netns(Nft)
    with there:
        there.run([{"add": {"table": _TABLE}}])
        assert len(there.run([{"list": {"tables": None}}])) == 2
    os.close(fd)
    assert rules() == ""
