"""transport.parser: only the C parser is good enough."""

from __future__ import annotations

import pytest
from aiohttp import http_parser

from costspan.transport.parser import require_c_parser


def test_the_c_parser_is_there() -> None:
    require_c_parser()


def test_the_parser_in_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "HttpResponseParser", http_parser.HttpResponseParserPy)

    with pytest.raises(RuntimeError, match="AIOHTTP_NO_EXTENSIONS"):
        require_c_parser()
