"""Help with a failed import, and completion."""
