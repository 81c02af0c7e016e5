from __future__ import annotations

import pytest

from havre.cli.commands.network_create import COMMAND
from havre.cli.flags import parse
from havre.cli.network_pools import pools
from havre.client.errors import ClientError


def made(*words: str) -> object:
    return pools(parse([*words, "name"], COMMAND.flags))


def test_everything_goes_to_its_subnet() -> None:
    given = ("--subnet=10.1.0.0/16,fd00::/64", "--subnet", "10.2.0.0/16", "--gateway=10.2.0.9", "--gateway=fd00::9")
    assert made(*given, "--ip-range", "10.2.3.0/24", "--aux-address=a=10.1.0.5", "--aux-address=b=10.1.0.6") == [
        {"Subnet": "10.1.0.0/16", "AuxiliaryAddresses": {"a": "10.1.0.5", "b": "10.1.0.6"}},
        {"Subnet": "fd00::/64", "AuxiliaryAddresses": {}, "Gateway": "fd00::9"},
        {"Subnet": "10.2.0.0/16", "AuxiliaryAddresses": {}, "IPRange": "10.2.3.0/24", "Gateway": "10.2.0.9"},
    ]
    assert made() == []


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--gateway=1.2.3.4",), "every ip-range or gateway must have a corresponding subnet"),
        (("--subnet=10.0.0.0/16", "--gateway=1.2.3.4"), "no matching subnet for gateway 1.2.3.4"),
        (("--subnet=10.0.0.0/16", "--ip-range=1.2.3.0/24"), "no matching subnet for range 1.2.3.0/24"),
        (("--subnet=10.0.0.0/16", "--aux-address=a=1.2.3.4"), "no matching subnet for aux-address 1.2.3.4"),
        (("--subnet=10.0.0.0/16", "--subnet=10.0.3.0/24"), "multiple overlapping subnet configuration"),
        (
            ("--subnet=10.0.0.0/16", "--subnet=10.1.0.0/16", "--gateway=10.0.0.1", "--gateway=10.0.0.2"),
            r"cannot configure multiple gateways \(10.0.0.2, 10.0.0.1\) for the same subnet \(10.0.0.0/16\)",
        ),
    ],
)
def test_docker_s_refusals(words: tuple[str, ...], refusal: str) -> None:
    with pytest.raises(ClientError, match=refusal):
        made(*words)
