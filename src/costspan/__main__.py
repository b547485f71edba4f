"""`python -m costspan`."""

from costspan.cli import main

main()
