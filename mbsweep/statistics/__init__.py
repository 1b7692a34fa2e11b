"""Arrays in, arrays out: summaries of samples, drift, noise of seeds, Pareto fronts."""
