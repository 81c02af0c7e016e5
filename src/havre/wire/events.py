"""What GET /events streams."""

from typing import TypedDict


class EventActor(TypedDict, total=False):
    """To whom it happened."""

    ID: str | None
    Attributes: dict[str, str] | None


_From = TypedDict("_From", {"from": str | None}, total=False)


class EventMessage(_From, total=False):
    """One thing that happened. The lower-case id, status and from repeat the actor for old clients."""

    status: str | None
    id: str | None
    Type: str | None
    Action: str | None
    Actor: EventActor | None
    scope: str | None
    time: int | None
    timeNano: int | None  # noqa: N815  the API's own spelling
