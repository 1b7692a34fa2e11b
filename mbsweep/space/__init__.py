"""What to build: fields, layers, blocks, families, and their exact counts. Plain data."""
