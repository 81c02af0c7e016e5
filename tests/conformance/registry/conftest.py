"""The distribution specification's workflows, run on our registry and on Debian's docker-registry.

Where the other one is known to differ, the test is named in DIFFERENCES with the reason: it must fail there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.registries import DockerRegistry, HavreRegistry, Registry, running

DIFFERENCES = {
    "test_a_manifest_is_given_to_a_client_that_says_nothing_of_types": "2.8 hides OCI documents without an Accept",
    "test_head_needs_no_accept_header": "2.8 hides OCI documents without an Accept",
    "test_an_unchanged_manifest_is_not_sent_again_whatever_the_form_of_the_tag": "2.8 knows one form of ETag only",
    "test_a_range_that_lies_outside_is_refused_with_the_size": "2.8 answers 416 without an OCI error",
    "test_one_request_pushes_a_blob": "2.8 answers 202: the older way alone",
    "test_one_request_with_wrong_bytes_pushes_nothing": "2.8 answers 202: the older way alone",
    "test_a_chunk_out_of_order_is_refused_and_says_where_to_go_on": "2.8 says 416 without Location and Range",
    "test_a_chunk_must_be_as_long_as_it_says": "2.8 answers 416",
    "test_a_broken_content_range_is_refused": "2.8 answers 400",
    "test_an_upload_belongs_to_its_repository": "2.8 answers 400",
    "test_a_manifest_must_give_the_true_size_of_its_blobs": "2.8 does not look at sizes",
    "test_a_manifest_larger_than_four_mebibytes_is_refused": "2.8 answers 400",
    "test_several_tags_with_one_push": "later than 1.1",
    "test_a_subject_is_acknowledged": "referrers are new in 1.1",
    "test_referrers_are_listed": "referrers are new in 1.1",
    "test_referrers_are_filtered_by_type": "referrers are new in 1.1",
    "test_referrers_of_what_is_not_there_are_an_empty_index": "referrers are new in 1.1",
    "test_referrers_come_in_pages": "referrers are new in 1.1",
    "test_a_referrer_that_is_deleted_is_no_longer_listed": "referrers are new in 1.1",
    "test_tags_come_in_pages": "2.8 lists all tags at once",
    "test_a_page_of_no_tags": "2.8 lists all tags at once",
    "test_a_page_of_nonsense_is_refused": "2.8 lists all tags at once",
    "test_a_tag_is_deleted_alone": "2.8 deletes by digest only",
    "test_a_blob_that_a_manifest_needs_is_not_deleted": "2.8 breaks the image",
    "test_an_invalid_name_is_refused": "2.8 answers 404 without an OCI error",
    "test_a_verb_that_is_not_offered_is_refused_with_those_that_are": "2.8 answers 405 without an OCI error",
    "test_search_finds_repositories": "2.8 has no search",
    "test_an_incomplete_manifest_is_refused": "2.8 has other codes, or fails",
    "test_layers_that_lie_elsewhere_need_not_be_here": "2.8 wants their hosts in its configuration",
    "test_tags_are_listed_in_order": "2.8 lists them as its folder does",
    "test_the_catalogue_is_cut_at_a_thousand": "2.8 refuses a larger number",
}


@pytest.fixture(scope="module", params=[HavreRegistry, DockerRegistry], ids=lambda kind: kind.NAME)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running(request.param(tmp_path_factory.mktemp("registry"))) as registry:
        yield registry


@pytest.fixture
def registry(shared: Registry, request: pytest.FixtureRequest) -> Registry:
    reason = DIFFERENCES.get(getattr(request.node, "originalname", ""), "")
    if shared.NAME == "docker-registry" and reason:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    return shared
