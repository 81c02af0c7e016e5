"""The flags between `compose` and its verb."""

from __future__ import annotations

from havre.cli.flags import many, number, switch, text

COMPOSE_FLAGS = (
    switch("all-resources", "Include all resources, even those not used by services"),
    text("ansi", 'Control when to print ANSI control characters ("never"|"always"|"auto")', default="auto"),
    switch("compatibility", "Run compose in backward compatibility mode"),
    switch("dry-run", "Execute command in dry run mode"),
    many("env-file", "Specify an alternate environment file", kind="stringArray"),
    many("file", "Compose configuration files", short="f", kind="stringArray"),
    many("insecure-registry", "Registries that are spoken to without TLS", kind="stringArray"),
    switch("no-ansi", "Do not print ANSI control characters (deprecated: use --ansi never)"),
    number("parallel", "Control max parallelism, -1 for unlimited", default=-1),
    many("profile", "Specify a profile to enable", kind="stringArray"),
    text("progress", "Set type of progress output (auto, tty, plain, json, quiet)"),
    text("project-directory", "Specify an alternate working directory\n(default: the path of the first compose file)"),
    text("project-name", "Project name", short="p"),
    switch("verbose", "Show more output"),
    switch("version", "Show the Docker Compose version information", short="v"),
    text("workdir", "Specify an alternate working directory (deprecated: use --project-directory)"),
)
