"""The migrations of the database, which the service runs when it starts."""
