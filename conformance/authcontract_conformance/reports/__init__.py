"""What people and programs read of a run: consumers of its events, which know nothing of how they came about."""
