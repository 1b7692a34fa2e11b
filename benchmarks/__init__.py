"""What mbsweep promises about speed and repeatability. `python -m benchmarks.NAME` prints its figures."""
