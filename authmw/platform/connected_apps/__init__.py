"""Connected apps: the clients that people may let act for them."""
