"""The plans of `down`, `stop` and `rm`."""

from __future__ import annotations

from havre.compose.plan.down import DownOptions, plan_down, plan_remove, plan_stop
from havre.compose.plan.steps import Step, shown
from havre.compose.present import Container, Present, Shared

WEB = Container("w", "p-web-1", "web", 1, "running", depends_on=("api",))
API = Container("a", "p-api-1", "api", 1, "running", depends_on=("db",))
DB = Container("d", "p-db-1", "db", 1, "exited", volumes={"/x": "a" * 64, "/y": "p_data"})
ONE_OFF = Container("r", "p-web-run-1", "web", 0, "running", oneoff=True)
NETWORKS = {"p_n": Shared("p_n", "1", project="p"), "other": Shared("other", "2", project="q")}
VOLUMES = {"p_data": Shared("p_data", "p_data", project="p"), "ext": Shared("ext", "ext")}
PRESENT = Present((WEB, API, DB, ONE_OFF), NETWORKS, VOLUMES)


def lines(steps: tuple[Step, ...]) -> list[str]:
    return shown(steps).splitlines()


def test_down_stops_dependants_first_and_leaves_volumes() -> None:
    assert lines(plan_down("p", PRESENT, DownOptions())) == [
        "stop p-web-1",
        "stop p-api-1  after stop p-web-1, stop p-web-run-1",
        "stop p-web-run-1",
        "remove p-web-1  after stop p-web-1",
        "remove p-api-1  after stop p-api-1",
        "remove p-db-1",
        "remove p-web-run-1  after stop p-web-run-1",
        "remove network p_n  after remove p-api-1, remove p-db-1, remove p-web-1, remove p-web-run-1",
    ]


def test_down_with_volumes_takes_named_and_anonymous_ones() -> None:
    found = lines(plan_down("p", PRESENT, DownOptions(volumes=True)))
    removed = [line.split("  ")[0] for line in found if "volume" in line]
    assert removed == ["remove volume p_data", f"remove volume {'a' * 64}"]


def test_down_of_some_services_keeps_the_network() -> None:
    found = lines(plan_down("p", PRESENT, DownOptions(services=frozenset({"db"}))))
    assert found == ["remove p-db-1"]


def test_orphans_stay_unless_asked() -> None:
    known = frozenset({"web", "api"})
    assert "remove p-db-1" not in lines(plan_down("p", PRESENT, DownOptions(known=known)))
    assert "remove p-db-1" in lines(plan_down("p", PRESENT, DownOptions(known=known, remove_orphans=True)))


def test_images_and_external_things() -> None:
    options = DownOptions(images=("p-web",), external=frozenset({"p_n"}))
    found = lines(plan_down("p", PRESENT, options))
    assert not [line for line in found if "network" in line]
    assert [line for line in found if line.startswith("remove image p-web")]


def test_labels_that_tell_a_circle_do_not_block() -> None:
    one = Container("1", "p-a-1", "a", 1, "running", depends_on=("c",))
    two = Container("2", "p-b-1", "b", 1, "running", depends_on=("a",))
    three = Container("3", "p-c-1", "c", 1, "running", depends_on=("b",))
    steps = {step.key: step.after for step in plan_stop((one, two, three))}
    done: set[str] = set()
    while ready := [key for key, after in steps.items() if key not in done and after <= done]:
        done |= set(ready)
    assert done == set(steps)


def test_stop_and_remove() -> None:
    assert lines(plan_stop((WEB, API, DB), ["api"])) == ["stop p-api-1"]
    assert lines(plan_remove((WEB, DB), stop=False, volumes=False)) == ["remove p-db-1"]
    assert lines(plan_remove((WEB, DB), stop=True, volumes=False)) == [
        "stop p-web-1", "remove p-web-1  after stop p-web-1", "remove p-db-1",
    ]  # fmt: skip
