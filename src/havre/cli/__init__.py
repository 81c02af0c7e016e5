"""Turns a command line into client calls, and the answers into text."""
