"""Machine to machine: clients that sign in by a secret of their own."""
