"""Providers that answer in real wire formats without a network."""
