"""The bodies that travel; one file per conversation."""
