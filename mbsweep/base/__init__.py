"""What everything stands on: errors and their words, rules for values, files, cache, processes, progress."""
