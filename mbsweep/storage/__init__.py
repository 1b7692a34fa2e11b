"""What a run keeps: its folder, its lock, its SQLite file."""
