from __future__ import annotations

import pytest

from havre.kernel import nft


def test_a_missing_library_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft, "_LIBRARY", "libnftables-nosuch.so.9")
    with pytest.raises(nft.NftMissing, match=r"libnftables1.*--iptables=false"):
        nft.Nft()
