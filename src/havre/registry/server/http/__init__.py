"""The registry over HTTP: one handler a noun, and the one place where requests come in and errors go out."""
