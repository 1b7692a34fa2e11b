"""Trainings on the machines of a Ray cluster. The run's process never loads Ray: see `bridge`."""
