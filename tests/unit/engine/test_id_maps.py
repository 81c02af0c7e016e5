"""Which files belong to whom inside: words to pairs, pairs to the kernel's lines."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.engine.id_maps import split_id_map
from havre.engine.model import IdMap
from havre.kernel.id_mapped import mapping


def test_words() -> None:
    assert split_id_map("ro") == ("ro", None)
    assert split_id_map("idmap=1000:999") == ("", IdMap(user=(1000, 999), group=(1000, 999)))
    assert split_id_map("ro,idmap=1:2/3:4,z") == ("ro,z", IdMap(user=(1, 2), group=(3, 4)))


@pytest.mark.parametrize("mode", ["idmap=x", "idmap=1", "idmap=1:2:3", "idmap=1:2/3", "idmap=1:4294967295"])
def test_what_is_no_map(mode: str) -> None:
    with pytest.raises(InvalidInput):
        split_id_map(mode)


@pytest.mark.parametrize(("on_disk", "inside"), [(1000, 999), (0, 1000), (5, 5), (999, 1000), (4294967294, 0)])
def test_the_lines_exchange_two_ids_and_keep_all_others(on_disk: int, inside: int) -> None:
    lines = [tuple(int(word) for word in line.split()) for line in mapping(on_disk, inside).splitlines()]
    assert sum(count for _, _, count in lines) == 2**32 - 1

    def mapped(number: int) -> int:
        (found,) = [second + number - first for first, second, count in lines if first <= number < first + count]
        return found

    assert (mapped(on_disk), mapped(inside)) == (inside, on_disk)
    other = next(number for number in (7, 8, 9) if number not in {on_disk, inside})
    assert mapped(other) == other
