"""What happens on requests that are not ours: the session behind a cookie, and what a view may demand of it."""
