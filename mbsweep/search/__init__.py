"""Which variant to look at next, where every cost is known and only accuracy is expensive: no torch."""
