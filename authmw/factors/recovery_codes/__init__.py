"""Recovery codes: what is kept on paper for the day the app is lost."""
