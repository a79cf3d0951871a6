"""Python distributions: by the environment's own pip, or by uv where it does the same."""
