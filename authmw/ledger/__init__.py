"""What happened: the only room that changes storage."""
