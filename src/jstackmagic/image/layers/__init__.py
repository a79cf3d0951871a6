"""Layers of an image, made from the record and the files that its packages own here."""
