"""Keeps data that outlives containers: volumes of this host, and those of plugins."""
