"""Make `.venv-clients`: a virtualenv for each client framework, at its locked versions. `make clients` runs it.

One for each, since their pins clash: LlamaIndex wants `openai` below 3, pydantic-ai wants 3.31. Node comes in a wheel:
the AI SDK wants 22, which many a machine lacks. To renew a lock: CONTRIBUTING.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CLIENTS = Path(__file__).parent
ENVIRONMENTS = CLIENTS.parent.parent / ".venv-clients"
NAMES = ("ai_sdk", "langchain", "llama_index", "pydantic_ai")
SECONDS = 600
"""That one step may take: the first time, everything is fetched."""


def install(name: str) -> None:
    """Bring the environment of `name` to what its locks say; do nothing where it is."""
    folder, environment = CLIENTS / name, ENVIRONMENTS / name
    locks = [folder / "requirements.lock", *folder.glob("package-lock.json")]
    wanted = "".join(lock.read_text() for lock in locks)
    ready = environment / ".ready"
    if ready.is_file() and ready.read_text() == wanted:
        return
    uv, python = str(Path(sys.executable).with_name("uv")), str(environment / "bin" / "python")
    _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
    _run(uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "--requirements", str(locks[0]))
    if len(locks) > 1:
        npm = str(environment / "bin" / "npm")
        _run(npm, "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")
    ready.write_text(wanted)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=SECONDS, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    for each in NAMES:
        install(each)
