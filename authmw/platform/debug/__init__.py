"""Finding out what one talks to."""
