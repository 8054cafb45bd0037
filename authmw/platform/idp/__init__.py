"""Being the provider: authorization, tokens, and what they tell."""
