"""Speaks the distribution protocol, as client and as server."""
