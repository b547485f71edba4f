"""The canonical form between dialects, and the words for usage. See docs/adr/0001.

Used only where client and provider speak different dialects, so it can never spoil a passthrough.
"""
