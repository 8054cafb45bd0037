"""Who: subjects with their parts, and the rules about addresses. Knows no HTTP and no session."""
