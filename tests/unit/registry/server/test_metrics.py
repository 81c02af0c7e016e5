"""The metrics page, read by Prometheus's own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from havre.registry.server.metrics import Metrics, Sample


def test_the_page_is_what_prometheus_reads() -> None:
    metrics = Metrics(lambda: [Sample("blobs", "gauge", "Blobs", 3)])
    metrics.request("GET", "BlobAt", 200, 0.01)
    metrics.request("GET", "BlobAt", 200, 100)
    metrics.request('G"E\\T', "other", 400, 0.0)
    metrics.bytes_moved(5, 7)
    metrics.action("push")
    families = {family.name: family for family in text_string_to_metric_families(metrics.text())}
    found = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families.values() for s in f.samples}
    place = ("place", "BlobAt")
    assert found["havre_registry_requests_total", (("method", "GET"), place, ("status", "200"))] == 2
    assert found["havre_registry_request_seconds_bucket", (("le", "0.025"), place)] == 1
    assert found["havre_registry_request_seconds_bucket", (("le", "+Inf"), place)] == 2
    assert found["havre_registry_request_seconds_count", (place,)] == 2
    assert found["havre_registry_blobs", ()] == 3
    assert found["havre_registry_sent_bytes_total", ()] == 7
    assert families["havre_registry_blobs"].type == "gauge"
    assert any(labels == (("method", 'G"E\\T'), ("place", "other"), ("status", "400")) for _, labels in found)
