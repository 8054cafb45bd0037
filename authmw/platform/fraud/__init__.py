"""The product `fraud`."""
