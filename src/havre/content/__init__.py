"""Stores blobs under their digest, whole or not at all, in a folder that is an OCI image layout."""
