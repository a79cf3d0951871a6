"""The append-only history file: append, read, lock."""
