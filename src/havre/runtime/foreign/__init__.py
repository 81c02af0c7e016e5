"""Containers that another OCI runtime makes (runc, crun), under a shim of ours."""
