"""Maps names to manifests, and manifests to ready snapshots: load, save, import, tag and remove images."""
