"""The product `sessions`."""
