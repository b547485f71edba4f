"""Wire formats. To add one: write its package, then add a line to the registry here."""
