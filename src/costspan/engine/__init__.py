"""Runs a plan: attempts, retries, fallback, the relay after the commit point. Knows neither aiohttp.web nor OTel."""
