"""Finds the error codes that the source can answer with, by reading its syntax trees."""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def answers(sources: Path) -> set[tuple[int, str]]:
    """Status and code of every error that a module below `sources` can give a client."""
    found: set[tuple[int, str]] = set()
    for path in sorted(sources.rglob("*.py")):
        tree = ast.parse(path.read_text())
        found |= set(_in_module(tree))
    return found


def upstream_kinds(sources: Path) -> set[str]:
    """Every literal `kind` that an `UpstreamError` is given below `sources`."""
    found: set[str] = set()
    for path in sorted(sources.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name("UpstreamError"), keywords=keywords):
                    found |= {text for word in keywords if word.arg == "kind" for text in _texts(word.value)}
                case ast.Call(func=ast.Name("_not_reached"), args=[kind, *_]):
                    found |= set(_texts(kind))
                case ast.Assign(targets=[ast.Attribute(attr="kind")], value=value):
                    found |= set(_texts(value))
    return found


def _in_module(tree: ast.Module) -> Iterator[tuple[int, str]]:
    positions = {
        node.name: [argument.arg for argument in node.args.args]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _in_call(node, positions)
        else:
            yield from _in_definition(node)


def _in_call(call: ast.Call, positions: dict[str, list[str]]) -> Iterator[tuple[int, str]]:
    """What is called with a `code`, by name or at the place where the module's own functions have it."""
    match call:
        case ast.Call(func=ast.Name("ErrorAnswer"), args=arguments):
            yield from _pairs(arguments)
        case ast.Call(func=ast.Name(name)) | ast.Call(func=ast.Attribute(attr="__init__" as name)):
            named = _arguments(call, positions.get(name, []))
            yield from ((_status(named), code) for code in _texts(named.get("code")))


def _in_definition(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Defaults, tables and names."""
    match node:
        case ast.FunctionDef(args=arguments):
            yield from ((400, code) for code in _default(arguments, "code"))
        case ast.Tuple(elts=elements):
            yield from _pairs(elements)
        case ast.Assign(targets=[ast.Name("_CODES")], value=ast.Dict(values=values)):
            yield from ((400, code) for value in values for code in _texts(value))
        case ast.Assign(targets=[ast.Name("code")], value=value):
            yield from ((400, code) for code in _texts(value))


def _pairs(elements: list[ast.expr]) -> Iterator[tuple[int, str]]:
    """A row of a table: a status of an error, and the code right after it."""
    for pair in pairwise(elements):
        match pair:
            case (ast.Constant(int(status)), ast.Constant(str(code))) if 400 <= status < 600:
                yield status, code


def _arguments(call: ast.Call, positions: list[str]) -> dict[str, ast.expr]:
    named = dict(zip(positions, call.args, strict=False))
    return named | {word.arg: word.value for word in call.keywords if word.arg is not None}


def _status(named: dict[str, ast.expr]) -> int:
    match named.get("status"):
        case ast.Constant(int(status)):
            return status
        case _:
            return 400


def _texts(node: ast.expr | None) -> Iterator[str]:
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*_texts(body), *_texts(orelse))
        case ast.BoolOp(values=values):
            yield from (text for value in values for text in _texts(value))


def _default(arguments: ast.arguments, name: str) -> Iterator[str]:
    with_default = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    pairs = [*zip(with_default, arguments.defaults, strict=True)]
    pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
    for argument, default in pairs:
        if argument.arg == name:
            yield from _texts(default)
