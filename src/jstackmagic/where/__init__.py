"""Find which environment, host and kernel this is, without starting a process."""
