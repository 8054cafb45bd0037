"""Products that consumer and B2B projects share: one instance, one route."""
