"""Offers the Engine API as typed, blocking Python calls over one small HTTP/1.1 connection."""
