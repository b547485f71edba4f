"""The TLS context for upstreams: verification on, TLS 1.2 or newer, shared by all pools."""

from __future__ import annotations

import functools
import ssl


@functools.cache
def default_context() -> ssl.SSLContext:
    """The one shared context, made when first needed: loading the trust store takes about 20 ms and some MiB.

    The trust store is OpenSSL's: `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
