"""Caches of elsewhere: what a build takes from them, and what it gives to them."""
