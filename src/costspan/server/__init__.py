"""The HTTP surfaces: aiohttp, live reload, drain."""
