"""`costspan init` and `costspan schema`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from costspan.cli.source import KNOWN
from costspan.config.environment import render_yaml
from costspan.config.jsonschema import json_schema
from costspan.wire import json

if TYPE_CHECKING:
    from pathlib import Path


def init(output: Path, *, force: bool) -> int:
    """Write the file; 1 when it exists already and `force` is not given."""
    text = render_yaml(os.environ, KNOWN)
    if str(output) == "-":
        sys.stdout.write(text)
        return 0
    try:
        with output.open("w" if force else "x") as file:
            file.write(text)
    except FileExistsError:
        print(f"{output} exists; --force replaces it", file=sys.stderr)  # noqa: T201 - for the person
        return 1
    except OSError as error:
        print(f"{output} cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201 - for the person
        return 1
    found = [known.name for known in KNOWN if os.environ.get(known.env_var)]
    print(f"{output} written, providers: {', '.join(found) or 'none (no key variable is set)'}")  # noqa: T201 - the output
    return 0


def schema() -> int:
    """Print the JSON Schema."""
    sys.stdout.write(json.pretty(json_schema()) + "\n")
    return 0
