"""Connections to upstreams: bytes out, bytes in."""
