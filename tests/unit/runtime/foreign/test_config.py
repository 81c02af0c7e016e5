from __future__ import annotations

from havre.oci.runtime_spec import DeviceRule, Linux, Process, Resources, Root, Spec, User
from havre.runtime.foreign.config import config_of, whole


def test_zeros_and_defaults_are_written() -> None:
    assert whole(Process(args=["a"], user=User())) == {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": ["a"],
        "cwd": "/",
        "noNewPrivileges": False,
    }
    rule = DeviceRule(allow=False)
    assert whole(rule) == {"allow": False, "type": "a", "access": "rwm"}


def test_the_rule_that_every_runtime_adds_is_left_to_it() -> None:
    rules = [
        DeviceRule(allow=False),
        DeviceRule(allow=True, type="c", access="m"),
        DeviceRule(allow=True, type="c", major=1, minor=3),
    ]
    spec = Spec(oci_version="1.2.1", root=Root(path="/r"), linux=Linux(resources=Resources(devices=rules)))
    made = config_of(spec)
    assert made["ociVersion"] == "1.0.2"
    assert made["linux"] == {
        "resources": {
            "devices": [
                {"allow": False, "type": "a", "access": "rwm"},
                {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
            ]
        }
    }
