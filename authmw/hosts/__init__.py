"""Where the core meets a server protocol or a framework: one small file each."""
