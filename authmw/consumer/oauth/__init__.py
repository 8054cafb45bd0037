"""The product `oauth`."""
