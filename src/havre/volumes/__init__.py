"""Volumes: folders with a name that outlive the containers which use them."""
