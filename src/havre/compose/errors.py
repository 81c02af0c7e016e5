"""What can be wrong with an application, told with the place where the user can mend it."""

from havre.base.errors import HavreError


class ComposeError(HavreError):
    """The message is for the user and names the file and the line where there is one."""

    exit_code = 1


class InvalidFile(ComposeError):
    """A compose file, or a file that it names, does not say what it should."""

    exit_code = 15


class NoFile(ComposeError):
    """There is no compose file where one was expected."""

    exit_code = 14


class Failed(ComposeError):
    """A step of a plan did not succeed; others may have."""
