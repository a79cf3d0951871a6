"""Compare an image with what is here."""
