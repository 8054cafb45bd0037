"""The product `users`."""
