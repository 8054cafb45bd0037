"""The product `otps`."""
