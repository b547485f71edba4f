"""Writing a configuration file and reading what is wrong with it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from costspan.config.load import Loaded, load
from costspan.errors import ConfigError

Read = Callable[..., Loaded]
Mistakes = Callable[..., list[str]]

ENVIRON = {"KEY": "a-key", "OTHER": "another-key", "EMPTY": "", "SPACED": "a key", "LISTEN": "127.0.0.1:9090"}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write `text` to gateway.yaml in a fresh folder and load it."""

    def read(text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> Loaded:
        path = tmp_path / "gateway.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, environ)

    return read


@pytest.fixture
def mistakes(tmp_path: Path, read: Read) -> Mistakes:
    """Load `text`, which must fail, and return the problems with the folder left out."""

    def mistakes(text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, environ)
        return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]

    return mistakes
