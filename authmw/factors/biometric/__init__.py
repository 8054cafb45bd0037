"""Keys that a device keeps behind its biometrics, and that sign a challenge to sign in."""
