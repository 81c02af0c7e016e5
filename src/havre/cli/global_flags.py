"""The flags before the command."""

from __future__ import annotations

from havre.cli.flags import many, switch, text

GLOBAL_FLAGS = (
    text("config", "Location of client config files", default=""),
    text("context", "Name of the context to use to connect to the daemon", short="c"),
    switch("debug", "Enable debug mode", short="D"),
    many("host", "Daemon socket to connect to", short="H"),
    text(
        "log-level",
        'Set the logging level ("debug", "info", "warn", "error", "fatal")',
        short="l",
        default="info",
    ),
    switch("tls", "Use TLS; implied by --tlsverify"),
    text("tlscacert", "Trust certs signed only by this CA"),
    text("tlscert", "Path to TLS certificate file"),
    text("tlskey", "Path to TLS key file"),
    switch("tlsverify", "Use TLS and verify the remote"),
    switch("version", "Print version information and quit", short="v"),
)
