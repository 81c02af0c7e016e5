from __future__ import annotations

from havre.cli.successor import successor

OLD = {
    "Env": ["PATH=/bin", "LANG=C"],
    "Cmd": ["serve"],
    "Entrypoint": ["/run"],
    "Labels": {"v": "1"},
    "WorkingDir": "/w",
}
ID = "a" * 64


def shown(config: dict[str, object], **more: object) -> dict[str, object]:
    whole = {**OLD, "Hostname": ID[:12], "Image": "app:1", "Tty": True, **config}
    return {"Id": ID, "Config": whole, "HostConfig": {"NetworkMode": "bridge", "Memory": 5}, **more}


def test_what_the_image_gave_is_not_taken_along() -> None:
    body = successor(shown({"Env": ["PATH=/bin", "LANG=C", "MINE=1"], "Labels": {"v": "1", "mine": "2"}}), OLD, "app:2")
    assert body["Env"] == ["MINE=1"]
    assert body["Labels"] == {"mine": "2"}
    assert body["Image"] == "app:2"
    assert body["Tty"] is True
    assert {"Cmd", "Entrypoint", "WorkingDir", "Hostname"}.isdisjoint(body)


def test_what_the_user_wished_is() -> None:
    body = successor(shown({"Cmd": ["other"], "Hostname": "box", "User": "alice"}), OLD, "app:2")
    assert (body["Cmd"], body["Hostname"], body["User"]) == (["other"], "box", "alice")
    entered = successor(shown({"Entrypoint": ["/mine"]}), OLD, "app:2")
    assert (entered["Entrypoint"], entered["Cmd"]) == (["/mine"], ["serve"])


def test_the_name_of_another_whose_network_it_shares_is_not_asked_for() -> None:
    host = {"NetworkMode": f"container:{'b' * 64}"}
    body = successor(shown({"Hostname": "b" * 12}, HostConfig=host), OLD, "app:2")
    assert "Hostname" not in body


def test_volumes_go_over_by_name() -> None:
    mounts = [
        {"Type": "volume", "Name": "n" * 64, "Destination": "/data", "RW": True},
        {"Type": "volume", "Name": "named", "Destination": "/named", "RW": True},
        {"Type": "bind", "Source": "/h", "Destination": "/h", "RW": True},
    ]
    host = {"NetworkMode": "bridge", "Binds": ["named:/named", "/h:/h"]}
    body = successor(shown({}, Mounts=mounts, HostConfig=host), OLD, "app:2")
    made = body["HostConfig"]
    assert isinstance(made, dict)
    assert made["Binds"] == ["named:/named", "/h:/h", f"{'n' * 64}:/data"]


def test_networks_of_the_user_go_over() -> None:
    networks = {
        "front": {"Aliases": ["web", ID[:12]], "IPAddress": "10.0.0.2", "IPAMConfig": {"IPv4Address": "10.0.0.9"}}
    }
    settings = {"NetworkSettings": {"Networks": networks}, "HostConfig": {"NetworkMode": "front"}}
    body = successor({**shown({}), **settings}, OLD, "app:2")
    assert body["NetworkingConfig"] == {
        "EndpointsConfig": {"front": {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.0.0.9"}}}
    }
    assert successor(shown({}), OLD, "app:2")["NetworkingConfig"] == {"EndpointsConfig": {}}
