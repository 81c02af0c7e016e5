"""`havre compose rm`: remove containers that do not run."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import carry_out, doer_for
from havre.cli.compose.session import Session
from havre.cli.confirm import agreed
from havre.cli.flags import Given, switch
from havre.compose.plan.down import plan_remove
from havre.compose.present import Present, find_containers


def act(given: Given, session: Session) -> int:
    """Asks first, unless -f is given."""
    name, project = session.project_or_name(given.args)
    present = Present(find_containers(session.client, name))
    chosen = [one for one in present.containers if not given.args or one.service in given.args]
    stop = given.switch("stop")
    going = [one for one in chosen if stop or not one.is_running]
    if not going:
        session.progress.note("No stopped containers")
        return 0
    if not given.switch("force"):
        names = ", ".join(one.name for one in going)
        if not agreed(f"Going to remove {names}\nAre you sure?"):
            return 1
    steps = plan_remove(going, stop=stop, volumes=given.switch("volumes"))
    carry_out(session, doer_for(session, name, project, present, None), steps)
    return 0


VERB = Verb(
    summary="Removes stopped service containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("all", "Deprecated - no effect", short="a"),
        switch("force", "Don't ask to confirm removal", short="f"),
        switch("stop", "Stop the containers, if required, before removing", short="s"),
        switch("volumes", "Remove any anonymous volumes attached to containers", short="v"),
    ),
    act=act,
)
