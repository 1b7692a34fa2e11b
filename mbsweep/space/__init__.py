"""What to build: sweep files, variants, architectures and their exact counts. Plain data, no torch."""
