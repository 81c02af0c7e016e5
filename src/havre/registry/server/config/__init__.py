"""The configuration of a registry: a file in the shape of Docker's own registry, and flags over it."""
