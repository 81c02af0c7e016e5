"""A whole Dockerfile, typed: global ARGs, then stages."""

from havre.build.dockerfile.errors import DockerfileError, ParseError
from havre.build.dockerfile.instructions import Arg, From, Instruction, Program, Stage, StageInstruction
from havre.build.dockerfile.nodes import Document
from havre.build.dockerfile.parser import parse
from havre.build.dockerfile.reading import read


def read_text(text: str) -> Program:
    """Raises DockerfileError for a text that cannot be read, ParseError where one place is to blame."""
    if not text:
        raise DockerfileError("the Dockerfile cannot be empty")
    return read_document(parse(text))


def read_document(document: Document) -> Program:
    """Raises DockerfileError."""
    global_args: list[Arg] = []
    stages: list[tuple[From, list[StageInstruction]]] = []
    for node in document.nodes:
        try:
            instruction = read(node)
        except DockerfileError as error:
            raise ParseError(error.reason, node.location) from None
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            global_args.append(instruction)
        else:
            raise ParseError("no build stage in current context", node.location)
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build")
    return Program(
        tuple(global_args),
        tuple(Stage(index, base, tuple(body)) for index, (base, body) in enumerate(stages)),
        document.escape,
    )


def read_trigger(text: str) -> Instruction:
    """The instruction of an ONBUILD that an image carries. Raises DockerfileError."""
    nodes = parse(text).nodes
    if len(nodes) != 1:
        raise DockerfileError("onbuild trigger should be a single expression")
    return read(nodes[0])
