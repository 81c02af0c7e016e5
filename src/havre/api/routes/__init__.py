"""The routes of the Engine API, a file a noun; each asks for the one service it calls."""
