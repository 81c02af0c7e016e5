"""What goes wrong with a template, in Go's words."""

from __future__ import annotations


class ParseError(Exception):
    """The template is not one; the message begins with `template: :LINE:`."""


class ExecError(Exception):
    """The template does not fit the data; the message begins with `template: :LINE:COLUMN:`."""
