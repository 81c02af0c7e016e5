"""Go's text/template, as much of it as `--format` of a container engine's users needs (pkg.go.dev/text/template)."""
