"""The client's half: conversations as generators, and one place where they meet the network."""
