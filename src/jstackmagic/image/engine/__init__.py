"""Build, commit and run images with a container engine."""
