"""From the file to the configuration, or to the list of everything that is wrong with it.

`load` reads, checks and resolves references. It never raises anything but `ConfigError`, and no problem holds
a value of the file: it may be a secret that stands in the wrong place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from costspan.config import checks, client_checks, references, yaml_loader
from costspan.config.document import Document
from costspan.config.fields import Expanded
from costspan.config.folder import Folder
from costspan.config.references import SecretFiles
from costspan.config.schema import Config
from costspan.config.yaml_loader import MAX_BYTES, Node, members
from costspan.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from costspan.config.yaml_loader import Path as KeyPath

ATTEMPTS = 3
"""Loads tried while the generations of a ConfigMap change under the reader."""

MAX_PRICE_FILES = 100
MAX_ROUNDS = 8
_NO_REFERENCE = "references are not resolved in names, only in values"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration and where it came from.

    `locate` gives file, line and column of the nearest node on a path of keys and indices.
    `files` are all files that were read, under names that survive a ConfigMap's swap. `digest` is the SHA-256 of
    their bytes, in hexadecimal. `warnings` are doubts, one sentence each.
    """

    config: Config
    locate: Callable[[tuple[str | int, ...]], tuple[str, int, int]]
    files: tuple[Path, ...]
    digest: str
    warnings: tuple[str, ...] = ()
    describe: Callable[[tuple[str | int, ...]], str] = lambda path: ".".join(map(str, path))

    def problem(self, path: tuple[str | int, ...], reason: str) -> Problem:
        """Return a problem at `path`, for checks that come after loading."""
        return Problem(*self.locate(path), self.describe(path), reason)


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """Read the file at `path`. Raises `ConfigError` with every problem found."""
    for _ in range(ATTEMPTS - 1):
        folder = Folder(path)
        try:
            return _load(path, folder, environ)
        except ConfigError:
            if folder.is_current():
                raise
    return _load(path, Folder(path), environ)


def load_text(text: str, name: str, environ: Mapping[str, str], folder: Folder) -> Loaded:
    """Load a configuration that is not in a file; `name` stands for the file in messages."""
    data = text.encode()
    return _build(_mapping(yaml_loader.parse(data, name)), {}, data, folder, environ)


def _load(path: Path, folder: Folder, environ: Mapping[str, str]) -> Loaded:
    data = _read(folder.actual(folder.name(path.name)), str(path))
    root = _mapping(yaml_loader.parse(data, str(path)))
    return _build(root, {folder.name(path.name): data}, data, folder, environ)


def _read(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        reason = "the file does not exist"
    except IsADirectoryError:
        reason = "is a directory; expected a file"
    except OSError as error:
        reason = f"cannot be read: {error.strerror or 'error'}"
    raise ConfigError((Problem(name, 0, 0, "", reason),))


def _mapping(root: Node) -> Node:
    if not isinstance(root.content, dict):
        problem = Problem(root.file, root.line, root.column, "", "expected a mapping of keys and values at the top")
        raise ConfigError((problem,))
    return root


def _build(root: Node, files: dict[Path, bytes], data: bytes, folder: Folder, environ: Mapping[str, str]) -> Loaded:
    document = Document(root)
    problems: list[Problem] = []
    files |= _graft_price_files(root, folder, environ, problems)
    values, invalid = _values(document, environ, problems)
    _refuse_source_lines(document, values, problems)
    secrets = SecretFiles(folder)
    config = _validate(document, values, invalid, secrets, problems)
    warnings = list(secrets.warnings)
    if config is not None:
        config = _with_source_lines(config, document)
        for finding in _findings(config, root):
            if _follows_from(finding.path, invalid):
                continue
            problem = document.problem(finding.path, finding.reason)
            if finding.warning:
                warnings.append(str(problem))
            else:
                problems.append(problem)
    if problems or config is None:
        raise ConfigError(tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.file != root.file, p.file, p.line))))
    files |= secrets.seen
    return Loaded(
        config, document.locate, tuple(files), _digest(files.values() or [data]), tuple(warnings), document.describe
    )


def _findings(config: Config, root: Node) -> Iterable[checks.Finding]:
    names = checks.Names(tuple(members(root.child("providers"))), tuple(members(root.child("routes"))))
    yield from checks.findings(config, names)
    yield from client_checks.findings(config, names)


def _digest(contents: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def _values(
    document: Document, environ: Mapping[str, str], problems: list[Problem]
) -> tuple[dict[str, Any], set[KeyPath]]:
    """Return the file as Python values, and the paths whose references are broken: those are left out."""
    broken: set[KeyPath] = set()

    def value(node: Node, path: KeyPath) -> Any:  # noqa: ANN401 - YAML is any value
        if isinstance(node.content, str):
            return scalar(node, node.content, path)
        if isinstance(node.content, list):
            return [value(item, (*path, index)) for index, item in enumerate(node.content)]
        problems.extend(document.key_problem((*path, key), _NO_REFERENCE) for key in node.content if "${" in key)
        return {key: value(member, (*path, key)) for key, member in node.content.items()}

    def scalar(node: Node, text: str, path: KeyPath) -> object:
        try:
            expanded = references.expand(text, environ)
        except ValueError as error:
            problems.append(Problem(node.file, node.line, node.column, document.describe(path), str(error)))
            broken.add(path)
            return None
        if isinstance(expanded, Expanded) or not node.plain:
            return expanded
        return yaml_loader.resolve(expanded)

    values = value(document.root, ())
    for path in broken:
        _drop(values, path)
    return values, broken


def _validate(
    document: Document, values: dict[str, Any], invalid: set[KeyPath], secrets: SecretFiles, problems: list[Problem]
) -> Config | None:
    """Validate; after mistakes once more without them, so that the rest can still be checked.

    `invalid` holds the paths that were left out already, and grows by those left out here.
    """
    for attempt in range(MAX_ROUNDS):
        try:
            return Config.model_validate(values, context=secrets)
        except ValidationError as error:
            found = document.problems_of(error, Config)
        if attempt == 0:
            problems += [problem for path, problem in found if not _follows_from(path, invalid)]
        for path, _ in found:
            _drop(values, path)
            invalid.add(path)
    return None


def _follows_from(path: KeyPath, invalid: set[KeyPath]) -> bool:
    """Whether what is wrong at `path` may be wrong only because a value in it, or itself, was left out."""
    return any(left_out[: len(path)] == path and len(left_out) - len(path) <= 1 for left_out in invalid)


def _drop(values: Any, path: KeyPath) -> None:  # noqa: ANN401 - YAML is any value
    """Remove the innermost key on `path` that still exists; a list goes as a whole, so that indices stay true."""
    holder, key = values, None
    current = values
    for part in path:
        if isinstance(current, dict) and part in current:
            holder, key = current, part
            current = current[part]
        elif isinstance(current, list) and isinstance(part, int) and part < len(current):
            current = current[part]
        else:
            break
    if key is not None and isinstance(holder, dict):
        holder.pop(key, None)


def _graft_price_files(
    root: Node, folder: Folder, environ: Mapping[str, str], problems: list[Problem]
) -> dict[Path, bytes]:
    """Append the rows of all price files to `prices.table` in the tree. Return the files' bytes."""
    prices = root.child("prices")
    patterns = prices.child("files") if prices is not None else None
    if prices is None or patterns is None or not isinstance(prices.content, dict):
        return {}
    read: dict[Path, bytes] = {}
    rows: list[Node] = []
    for _, pattern in patterns.children():
        for file in _matching(pattern, folder, environ, problems):
            if file in read:
                continue
            try:
                read[file] = _read(folder.actual(file), str(file))
                rows += _rows(yaml_loader.parse(read[file], str(file)))
            except ConfigError as error:
                problems += error.problems
    table = prices.content.setdefault("table", Node([], prices.file, patterns.line, patterns.column))
    if isinstance(table.content, list):
        table.content += rows
    return read


def _matching(pattern: Node, folder: Folder, environ: Mapping[str, str], problems: list[Problem]) -> Sequence[Path]:
    try:
        text = references.expand(str(pattern.content), environ)
        files = folder.glob(text)
    except (ValueError, NotImplementedError, OSError):
        return ()  # a broken reference is reported with the other values
    if len(files) > MAX_PRICE_FILES:
        reason = f"matches more than {MAX_PRICE_FILES} files"
        problems.append(Problem(pattern.file, pattern.line, pattern.column, "prices.files", reason))
        return ()
    return files


def _rows(root: Node) -> list[Node]:
    table: Node | None = root
    if isinstance(root.content, dict):
        extra = [key for key in root.content if key != "table"]
        table = None if extra else root.child("table")
    if table is None or not isinstance(table.content, list):
        reason = "expected a list of prices, or a mapping with the key `table`"
        raise ConfigError((Problem(root.file, root.line, root.column, "", reason),))
    for index, row in enumerate(table.content):
        row.label = f"table[{index}]"
    return table.content


def _refuse_source_lines(document: Document, values: dict[str, Any], problems: list[Problem]) -> None:
    """`source_line` is a field for the loader, not a key of the file."""
    prices = document.root.child("prices")
    table = prices.child("table") if prices is not None else None
    for index, row in table.children() if table is not None else ():
        if row.child("source_line") is not None:
            problems.append(document.unknown_key(("prices", "table", index, "source_line"), ()))
            values["prices"]["table"][index].pop("source_line", None)


def _with_source_lines(config: Config, document: Document) -> Config:
    """Note in each price where it stands: the provenance of every cost computed from it."""
    rows = []
    for index, row in enumerate(config.prices.table):
        file, line, _ = document.locate(("prices", "table", index))
        rows.append(row.model_copy(update={"source_line": f"{file.rpartition('/')[2]}:{line}"}))
    prices = config.prices.model_copy(update={"table": tuple(rows)})
    return config.model_copy(update={"prices": prices})
