"""Data larger than memory, and refits."""
