"""Training: the loop, supernets, and the processes that train a sweep."""
