"""The process that owns one container's life: its streams, log and exit status; it outlives havred."""
