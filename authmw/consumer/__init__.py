"""Products of consumer projects, one folder each."""
