"""Graphs of Dockerfiles as text that people can compare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import msgspec

from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.scope import Platforms
from havre.build.graph import Graph
from havre.build.plan import Demands, Planner
from havre.oci.descriptor import Platform
from havre.oci.image_config import ImageConfig, ProcessConfig, RootFS

AMD64 = Platform(architecture="amd64", os="linux")
BASE = ProcessConfig(env=["PATH=/bin", "FROM_BASE=1"], working_dir="/base", user="app", cmd=["base"])
TRIGGERED = {
    "some-onbuild": ProcessConfig(on_build=["RUN echo triggered", "COPY . /built"]),
    "onbuild-from": ProcessConfig(on_build=["COPY --from=tools /t /t", "COPY --from=other-image /o /o"]),
}


def plan(
    text: str,
    args: Mapping[str, str] | None = None,
    *,
    target: str = "",
    labels: Mapping[str, str] | None = None,
    contexts: Mapping[str, str] | None = None,
    allowed: frozenset[str] = frozenset(),
) -> Graph:
    """The graph of *text*; those of TRIGGERED have triggers, all others are alike."""
    planner = Planner(
        read_text(text),
        Demands(
            args=args or {},
            contexts=contexts or {},
            labels=labels or {},
            target=target,
            platforms=Platforms(AMD64, AMD64),
            allowed=allowed,
        ),
    )
    needed, configs = planner.needed(), dict[tuple[str, str], ImageConfig]()
    while missing := [image for image in needed.images if image not in configs]:
        configs |= _configs(missing)
        needed = planner.needed(configs)
    return planner.graph(needed, configs)


def _configs(images: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ImageConfig]:
    return {
        (name, platform): ImageConfig(
            architecture="amd64",
            os="linux",
            rootfs=RootFS(),
            config=TRIGGERED.get(name.partition(":")[0].rpartition("/")[2], BASE),
        )
        for name, platform in images
    }


def shown(graph: Graph) -> str:
    """*graph* as JSON, without what is empty."""
    stages = [
        {
            "stage": index,
            "name": stage.name,
            "base": _named(stage.base),
            "needs": sorted(stage.needs),
            "steps": [
                {
                    "text": step.text,
                    "history": step.created_by,
                    "operation": _named(step.operation) if step.operation is not None else None,
                }
                for step in stage.steps
            ],
        }
        for index, stage in graph.stages.items()
    ]
    last = graph.stages[graph.target]
    settings = last.steps[-1].settings if last.steps else last.settings
    whole = {"target": graph.target, "stages": stages, "settings": msgspec.to_builtins(settings.process)}
    return json.dumps(_lean(whole), indent=1, ensure_ascii=False) + "\n"


def _named(value: object) -> object:
    fields = {name: _deep(getattr(value, name)) for name in getattr(value, "__dataclass_fields__", ())}
    return {type(value).__name__: fields}


def _deep(value: object) -> object:
    if isinstance(value, tuple):
        return [_deep(one) for one in value]
    return _named(value) if hasattr(value, "__dataclass_fields__") else value


def _lean(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lean(one) for key, one in value.items() if one not in ("", None, [], {}, False)}
    return [_lean(one) for one in value] if isinstance(value, list) else value
