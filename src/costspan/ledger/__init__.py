"""The append-only record of attempts and exchanges: values, file, recovery, reading. Stable, versioned, no content."""
