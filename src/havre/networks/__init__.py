"""Gives a sandbox its network namespace, links, addresses and files, and keeps the rules around them in force."""
