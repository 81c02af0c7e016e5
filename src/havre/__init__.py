"""Havre: a container platform in Python that does what Docker does."""

__version__ = "0.1.0"
