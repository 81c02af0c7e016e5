"""Speaks the Engine API: reads a request, decodes it, calls one service, encodes what came back."""
