"""Who a client is, and what it may do in which repository."""
