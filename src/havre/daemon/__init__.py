"""Builds each room once, hands it what it needs, starts and stops them in order."""
