"""How something is proved. Each factor knows its own records and rules, neither subjects nor HTTP."""
