"""What the registry knows, in SQLite: repositories, and in each the manifests, tags and blobs that it holds."""
