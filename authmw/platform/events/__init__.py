"""The event log as it is read."""
