"""The OCI runtime command line: one file a verb, over the same birth as the engine's containers."""
