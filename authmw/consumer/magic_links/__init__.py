"""The product `magic_links`."""
