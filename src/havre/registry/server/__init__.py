"""The registry server: repositories, their manifests, tags and blobs, over HTTP (distribution-spec 1.1)."""
