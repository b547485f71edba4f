"""Framing and JSON: bytes in, bytes out, no I/O."""
