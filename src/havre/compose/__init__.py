"""Turns compose files and what runs now into a plan of client calls, and carries it out."""
