"""A registry of images, by the OCI distribution specification: no engine is needed."""
