"""Trained networks as runtimes have them: each file that would be deployed is tested on the test part."""
