"""The requests that an application becomes: bodies of the Engine API, made without asking anyone."""
