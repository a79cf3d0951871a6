"""conda packages: by a conda executable, or by py-rattler in this process."""
