"""Debian packages, for the whole system."""
