"""Writes, rotates and follows what containers say."""
