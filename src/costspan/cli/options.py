"""Options that several commands have.

Typer reads annotations at run time: modules with commands do without `from __future__ import annotations`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The file; else $COSTSPAN_CONFIG, else ./gateway.yaml, else the environment."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
