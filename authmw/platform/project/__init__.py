"""What an administrator changes of a project while the service runs."""
