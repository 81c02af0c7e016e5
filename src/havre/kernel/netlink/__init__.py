"""A small rtnetlink: requests built by pure functions, many of them sent in one system call."""
