"""uv in pip's place."""
