"""Makes layered file trees, and tells how to mount them."""
