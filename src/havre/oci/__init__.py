"""OCI's JSON as types (image-spec 1.1, runtime-spec 1.2, distribution-spec 1.1); nothing here does I/O."""
