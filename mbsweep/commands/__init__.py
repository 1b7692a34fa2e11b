"""What users type: one file for each command, its options beside what it prints."""
