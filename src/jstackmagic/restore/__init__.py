"""From the history back to the disk: undo, replay, keep."""
