"""`python -m authmw.cli` is the command `authmw`."""

from authmw.cli import main

main()
