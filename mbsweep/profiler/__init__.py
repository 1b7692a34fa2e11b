"""What a network costs on this device: cross-checked counts, and latency in the runtimes people deploy."""
