"""`costspan explain` and its options. What it needs is imported when it runs, so that `--help` is quick."""

from pathlib import Path
from typing import Annotated

import typer

from costspan.cli.options import AsJson, Config


def explain(  # noqa: PLR0913 - options
    model: Annotated[str, typer.Option(help="The model name to ask for: a route, or provider/model.")],
    config: Config = None,
    body: Annotated[
        Path | None, typer.Option("--body", dir_okay=False, exists=True, help="The request's JSON; else a small one.")
    ] = None,
    dialect: Annotated[str | None, typer.Option(help="What the request is written in; else chat completions.")] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Ask this running gateway instead, with the client key of $COSTSPAN_API_KEY if it is set."),
    ] = None,
    *,
    stream: Annotated[bool, typer.Option("--stream", help="As a streamed request.")] = False,
    as_json: AsJson = False,
) -> None:
    """The plan for a request: targets in order, expected costs, exclusions. No provider is asked.

    Exits 0, 1 when no target would serve it, 2 when the request is not valid, 78 when the file is not.
    """
    import sys  # noqa: PLC0415 - as all imports here

    from costspan.cli.explain import Question, run_explain  # noqa: PLC0415 - likewise
    from costspan.cli.source import find  # noqa: PLC0415 - likewise

    raise typer.Exit(
        run_explain(
            find(config),
            Question(model, dialect, stream, body),
            url=url,
            output="json" if as_json else "table",
            out=sys.stdout,
        )
    )
