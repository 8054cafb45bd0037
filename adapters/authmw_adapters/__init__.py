"""Adapters for the ports of authmw, one module or package each."""
