"""The image: what a container engine is asked for, and nothing else here asks one.

The Docker socket is root on its host. Nothing in this package is imported, and no socket is opened,
before a verb of ``%envimage`` is called.
"""
