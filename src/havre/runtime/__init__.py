"""Turns a bundle into a running process, and tells how it ended."""
