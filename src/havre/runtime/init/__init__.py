"""The steps of the child between clone3 and execve: a straight line of prepared system calls."""
