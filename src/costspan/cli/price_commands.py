"""`costspan prices ...`: the options. Each command imports what it needs when it runs."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from costspan.cli.options import AsJson, Config

prices = typer.Typer(help="Prices: what is known, how old it is, what is doubtful.", no_args_is_help=True)

Provider = Annotated[str | None, typer.Option(help="Of this provider or kind only.")]
Model = Annotated[str | None, typer.Option(help="Of this model only; a name or a glob.")]
At = Annotated[str | None, typer.Option(help="As of this day, UTC: 2026-11-01. Today without it.")]


@prices.command("list", epilog="Example: costspan prices list --provider openrouter --all --at 2026-11-01")
def list_(
    config: Config = None,
    provider: Provider = None,
    model: Model = None,
    at: At = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what the catalog has for the providers.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the price of each target, with where it stands, its dates, tiers and service tiers.

    Exits 1 when there is nothing of that name.
    """
    from costspan.cli import prices as work  # noqa: PLC0415 - as all imports here
    from costspan.cli.source import find  # noqa: PLC0415

    moment = work.midnight(_day(at, "--at") or work.today())
    raise typer.Exit(
        work.run(
            find(config),
            lambda found: work.show(
                found.targets(provider, model, moment, everything=everything), found, sys.stdout, as_json=as_json
            ),
        )
    )


@prices.command("lint", epilog="Example: costspan prices lint -c gateway.yaml")
def lint(config: Config = None, *, as_json: AsJson = False) -> None:
    """Look for contradictions, slips of the unit and rows that nothing can reach.

    Exits 0, with warnings too; 1 when something cannot be meant; 78 when the file cannot be loaded.
    """
    from costspan.cli import prices as work  # noqa: PLC0415
    from costspan.cli.source import find  # noqa: PLC0415

    raise typer.Exit(work.run(find(config), lambda found: work.check(found, sys.stdout, as_json=as_json)))


@prices.command("diff", epilog="Example: costspan prices diff --provider openrouter")
def diff(
    config: Config = None,
    provider: Provider = None,
    model: Model = None,
    at: At = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also the rates that are the same.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold the table against the catalog: each rate that they bill differently, and the ratio of the two."""
    from costspan.cli import prices as work  # noqa: PLC0415
    from costspan.cli.source import find  # noqa: PLC0415

    moment = work.midnight(_day(at, "--at") or work.today())
    raise typer.Exit(
        work.run(
            find(config),
            lambda found: work.compare(
                found.pairs(provider, model, moment), found, sys.stdout, everything=everything, as_json=as_json
            ),
        )
    )


@prices.command("age", epilog="Example: costspan prices age --max-age 90d --check")
def age(
    config: Config = None,
    max_age: Annotated[str, typer.Option("--max-age", help="What is older is marked.")] = "90d",
    *,
    strict: Annotated[bool, typer.Option("--check", help="Exit 1 when something is older, or of unknown age.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell of which day the facts are: a date in a row's `source`, its first day, the catalog's release."""
    from costspan.cli import prices as work  # noqa: PLC0415
    from costspan.cli.source import find  # noqa: PLC0415

    most = _days(max_age)
    raise typer.Exit(
        work.run(
            find(config),
            lambda found: work.tell_age(found, sys.stdout, most=most, day=work.today(), strict=strict, as_json=as_json),
        )
    )


@prices.command("import", epilog="Example: costspan prices import models.json --provider openrouter -w prices.d/x.yaml")
def import_(  # noqa: PLR0913, PLR0917 - options
    file: Annotated[Path, typer.Argument(help="A list that was downloaded; nothing is fetched.")],
    form: Annotated[
        Literal["litellm", "openrouter", "models-dev"] | None,
        typer.Option(
            "--format", help="LiteLLM's cost map, OpenRouter's models or models.dev's api.json. Else guessed."
        ),
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Of this provider only, in the list's word or ours.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The day on which the list was fetched; else the file's own date.")
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First day of the rows, UTC; always without it.")] = None,
    write: Annotated[
        Path | None, typer.Option("--write", "-w", help="The file to write; standard output without it.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make rows of a price table of somebody else's price list, with the source of each and every digit.

    What cannot be said in a row is listed on stderr and beside it. Exits 1 when no row came of it.
    """
    from costspan.cli.price_import import Wanted, run  # noqa: PLC0415

    wanted = Wanted(file, form, provider, _day(as_of, "--as-of"), _day(begin, "--from"), write, replace=force)
    raise typer.Exit(run(wanted, sys.stdout, as_json=as_json))


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected a day such as 2026-11-01", param_hint=option) from None


def _days(text: str) -> int:
    from costspan.config.values import parse_duration  # noqa: PLC0415

    try:
        return int(parse_duration(text) // 86_400)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-age") from None
