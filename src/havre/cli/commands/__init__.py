"""One file a verb: its help, its flags, what it does. Each holds a constant COMMAND."""
