"""A registry that is a cache of another one: what it does not have it fetches, verifies, keeps and hands on."""
