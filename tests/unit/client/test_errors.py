from __future__ import annotations

from havre.client.errors import ApiError, ClientError, ConnectionFailed


def test_what_the_user_reads() -> None:
    failed = ConnectionFailed("unix:///run/x.sock")
    assert str(failed) == "Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?"
    assert failed.address == "unix:///run/x.sock"
    refused = ApiError(404, "No such container: x")
    assert (refused.status, str(refused)) == (404, "No such container: x")
    assert isinstance(failed, ClientError)
    assert isinstance(refused, ClientError)
