"""The command line: `costspan serve | demo | check | init | schema | key new | report`."""

from __future__ import annotations


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 a check failed, 2 wrong usage, 78 a bad configuration."""
    from costspan.cli.commands import app  # noqa: PLC0415 - `import costspan.cli` must stay cheap

    app()
