"""Content discovery: tags, catalogue, referrers, search (distribution-spec, "Content Discovery")."""

from __future__ import annotations

import re

import pytest

from tests.support.oci_images import OCI_INDEX, artifact, digest, image
from tests.support.pushing import push
from tests.support.registries import Registry, Reply

SBOM = "application/vnd.example.sbom"
SIGNATURE = "application/vnd.example.signature"


def following(answer: Reply) -> str:
    found = re.fullmatch(r'<([^>]+)>; rel="next"', answer.header("Link"))
    return found[1] if found else ""


def test_tags_are_listed_in_order(registry: Registry) -> None:
    push(registry, "list/tags", image(), "b", "a", "v1.10", "v1.9", "B")
    answer = registry.request("GET", "/v2/list/tags/tags/list")
    assert answer.status == 200
    assert answer.json == {"name": "list/tags", "tags": ["B", "a", "b", "v1.10", "v1.9"]}


def test_tags_come_in_pages(registry: Registry) -> None:
    push(registry, "list/pages", image(), *[f"t{number}" for number in range(5)])
    found, path, rounds = [], "/v2/list/pages/tags/list?n=2", 0
    while path:
        answer = registry.request("GET", path)
        assert len(answer.json["tags"]) <= 2
        found += answer.json["tags"]
        path, rounds = following(answer), rounds + 1
    assert (found, rounds) == (["t0", "t1", "t2", "t3", "t4"], 3)
    after = registry.request("GET", "/v2/list/pages/tags/list?last=t2")
    assert after.json["tags"] == ["t3", "t4"]


def test_a_page_of_no_tags(registry: Registry) -> None:
    push(registry, "list/none", image(), "v1")
    answer = registry.request("GET", "/v2/list/none/tags/list?n=0")
    assert (answer.status, answer.json["tags"], following(answer)) == (200, [], "")


@pytest.mark.parametrize("number", ["-1", "x", "1_0", "%D9%A1"])
def test_a_page_of_nonsense_is_refused(registry: Registry, number: str) -> None:
    push(registry, "list/none", image(), "v1")
    answer = registry.request("GET", f"/v2/list/none/tags/list?n={number}")
    assert (answer.status, answer.code) == (400, "PAGINATION_NUMBER_INVALID")


def test_tags_of_an_unknown_repository(registry: Registry) -> None:
    answer = registry.request("GET", "/v2/list/never/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def test_the_catalogue_in_pages(registry: Registry) -> None:
    for name in ("catalogue/a", "catalogue/b", "catalogue/c"):
        push(registry, name, image(1, 10), "v1")
    found, path = [], "/v2/_catalog?n=1"
    while path:
        answer = registry.request("GET", path)
        found += answer.json["repositories"]
        path = following(answer)
    assert [name for name in found if name.startswith("catalogue/")] == ["catalogue/a", "catalogue/b", "catalogue/c"]
    assert found == sorted(set(found))


def test_the_catalogue_is_cut_at_a_thousand(registry: Registry) -> None:
    push(registry, "catalogue/a", image(1, 10), "v1")
    assert registry.request("GET", "/v2/_catalog?n=1000000000").status == 200


def test_referrers_are_listed(registry: Registry) -> None:
    subject = push(registry, "refer/list", image(), "v1")
    by_field = push(registry, "refer/list", artifact(subject, SBOM, annotations={"a": "b"}))
    by_config = push(registry, "refer/list", artifact(subject, "", config_type=SIGNATURE))
    answer = registry.request("GET", f"/v2/refer/list/referrers/{subject.digest}")
    assert (answer.status, answer.header("Content-Type")) == (200, OCI_INDEX)
    found = {each["digest"]: each for each in answer.json["manifests"]}
    assert found.keys() == {by_field.digest, by_config.digest}
    assert found[by_field.digest]["artifactType"] == SBOM
    assert found[by_field.digest]["annotations"] == {"a": "b"}
    assert found[by_field.digest]["size"] == len(by_field.manifest)
    assert found[by_config.digest]["artifactType"] == SIGNATURE


def test_referrers_are_filtered_by_type(registry: Registry) -> None:
    subject = push(registry, "refer/filter", image(), "v1")
    wanted = push(registry, "refer/filter", artifact(subject, SBOM))
    push(registry, "refer/filter", artifact(subject, SIGNATURE))
    answer = registry.request("GET", f"/v2/refer/filter/referrers/{subject.digest}?artifactType={SBOM}")
    assert [each["digest"] for each in answer.json["manifests"]] == [wanted.digest]
    assert answer.header("OCI-Filters-Applied") == "artifactType"


def test_referrers_of_what_is_not_there_are_an_empty_index(registry: Registry) -> None:
    push(registry, "refer/none", image(), "v1")
    answer = registry.request("GET", f"/v2/refer/none/referrers/{digest(b'absent')}")
    assert (answer.status, answer.json["manifests"], answer.json["schemaVersion"]) == (200, [], 2)


def test_a_referrer_may_come_before_its_subject(registry: Registry) -> None:
    subject = image()
    push(registry, "refer/early", artifact(subject, SBOM))
    push(registry, "refer/early", subject, "v1")


def test_referrers_come_in_pages(registry: Registry) -> None:
    subject = push(registry, "refer/pages", image(), "v1")
    made = [push(registry, "refer/pages", artifact(subject, SBOM)).digest for _ in range(3)]
    found, path = [], f"/v2/refer/pages/referrers/{subject.digest}?n=2&artifactType={SBOM}"
    while path:
        answer = registry.request("GET", path)
        found += [each["digest"] for each in answer.json["manifests"]]
        path = following(answer)
    assert found == sorted(made)


def test_search_finds_repositories(registry: Registry) -> None:
    described = image(annotations={"org.opencontainers.image.description": "A thing to find"})
    push(registry, "search/needle", described, "v1")
    push(registry, "search/hay", image(), "v1")
    assert registry.request("GET", "/v1/_ping").status == 200
    answer = registry.request("GET", "/v1/search?q=needle&n=25").json
    assert (answer["num_results"], answer["query"]) == (1, "needle")
    assert answer["results"][0]["name"] == "search/needle"
    assert answer["results"][0]["description"] == "A thing to find"
