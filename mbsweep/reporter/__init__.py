"""DataFrame -> figures -> one self-contained page."""
