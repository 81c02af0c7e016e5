"""The text of compose files as one tree of nodes that know their line: read, interpolated, merged."""
