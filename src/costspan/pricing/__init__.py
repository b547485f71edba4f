"""Usage times price, exactly. Pure."""
