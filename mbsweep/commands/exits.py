"""Exit codes, beside 0."""

FAILURES = 1  # the run went to its end, but some variants failed; or all runs but some were reported
NOTHING_FITS = 1  # as of grep
BAD_INPUT = 2
INTERRUPTED = 130
