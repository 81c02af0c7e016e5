from __future__ import annotations

import pytest

from havre.engine.boot_order import COMPLETED, HEALTHY, STARTED, Need, order_of
from havre.engine.model import Record
from havre.engine.settings import Config, HostConfig


def record(
    name: str, depends_on: str = "", *, project: str = "app", service: str = "", oneoff: str = "False"
) -> Record:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service or name,
        "com.docker.compose.depends_on": depends_on,
        "com.docker.compose.oneoff": oneoff,
    }
    config = Config(image="i", labels=labels)
    return Record(id=name, name=name, created_ns=0, image_id="i", chain="", config=config, host=HostConfig())


def test_conditions_and_replicas() -> None:
    web = record("web", "db:service_healthy:true,init:service_completed_successfully:false,log")
    everyone = [record("db1", service="db"), record("db2", service="db"), record("init"), record("log"), web]
    (needs,) = order_of([web], everyone).needs.values()
    assert needs == (Need("db1", HEALTHY), Need("db2", HEALTHY), Need("init", COMPLETED), Need("log", STARTED))


def test_other_projects_and_runs_of_once_are_nobodys_business() -> None:
    web = record("web", "db:service_started:false,gone:service_healthy:false,web:service_started:false")
    everyone = [web, record("db", project="other"), record("run", service="db", oneoff="True")]
    assert order_of([web], everyone).needs == {"web": ()}


def test_without_labels_nothing_is_needed() -> None:
    plain = Record(id="a", name="a", created_ns=0, image_id="i", chain="", config=Config(), host=HostConfig())
    labelled = record("b", "c:service_started:false", project="")
    assert order_of([plain, labelled], [plain, labelled]).needs == {"a": (), "b": ()}


@pytest.mark.parametrize("names", ["ab", "abc", "abcdefgh"])
def test_a_circle_is_cut_once(names: str) -> None:
    everyone = [
        record(one, f"{other}:service_started:false") for one, other in zip(names, names[1:] + names[0], strict=True)
    ]
    order = order_of(everyone, everyone)
    assert order.dropped == ((names[-1], Need(names[0], STARTED)),)
    assert sum(map(len, order.needs.values())) == len(names) - 1


def test_a_circle_beside_other_needs() -> None:
    a, b = record("a", "b,c,d"), record("b", "c,a,d")
    c, d = record("c"), record("d", "b")
    order = order_of([a, b, c, d], [a, b, c, d])
    assert order.needs["a"] == tuple(Need(one, STARTED) for one in "bcd")
    assert order.needs["b"] == (Need("c", STARTED), Need("d", STARTED))
    assert order.dropped == (("b", Need("a", STARTED)), ("d", Need("b", STARTED)))
