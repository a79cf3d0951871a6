"""The nouns: frozen values that touch no disk and start no process."""
