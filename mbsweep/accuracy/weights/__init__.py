"""Weights that exist: what files have which, and how they become those of a network. Loads no torch."""
