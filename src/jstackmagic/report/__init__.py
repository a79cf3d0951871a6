"""The histories of many people as one report: what they install, and what it costs."""
