"""A run as a DataFrame: columns and what they mean, fronts and chances, budgets, comparison."""
