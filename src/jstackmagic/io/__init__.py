"""One way to do each thing in the world: run a program, write a file, take a lock, show a log."""
