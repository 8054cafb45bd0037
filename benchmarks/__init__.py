"""What authmw costs, measured as ratios in one run on fixed work, beside what it would replace. Run by `make bench`."""
