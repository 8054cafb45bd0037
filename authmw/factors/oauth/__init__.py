"""OAuth and OpenID Connect as a client: what a provider says, and what of it counts."""
