"""One immutable, validated configuration, resolved to objects."""
