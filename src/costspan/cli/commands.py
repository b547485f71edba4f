"""The commands and their options. Each imports what it needs when it runs, so that `--help` is quick."""

from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costspan.cli.explain_command import explain
from costspan.cli.options import AsJson, Config
from costspan.cli.price_commands import prices

if TYPE_CHECKING:
    from costspan.cli.report import Output

app = typer.Typer(
    name="costspan",
    help="A zero-markup LLM gateway: one process, one YAML file, no database, a true cost for every request.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys = typer.Typer(help="Client keys.", no_args_is_help=True)
app.add_typer(keys, name="key")
app.add_typer(prices, name="prices")

Ledger = Annotated[
    Path | None, typer.Option("--ledger", help="The ledger's folder; else ledger.dir of the configuration.")
]
Since = Annotated[str | None, typer.Option(help="First day or instant, UTC: 2026-11-01, 2026-11-01T08:00.")]
Until = Annotated[str | None, typer.Option(help="Before this day or instant, UTC.")]


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's callback
    if asked:
        from costspan import __version__  # noqa: PLC0415 - as all imports here

        typer.echo(f"costspan {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command(epilog="Example: costspan serve -c gateway.yaml --watch")
def serve(
    config: Config = None,
    listen: Annotated[str | None, typer.Option(help="Instead of server.listen: 127.0.0.1:8080, unix:/path.")] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Reload when the file or its secrets change.")] = False,
) -> None:
    """Run the gateway. Without a file: providers whose key variables are set in the environment."""
    from costspan.cli.serve import serve as run  # noqa: PLC0415
    from costspan.cli.source import find  # noqa: PLC0415

    _check_listen(listen)
    raise typer.Exit(run(find(config), listen=listen, watch=watch))


@app.command(epilog="Example: costspan demo --requests 50 --exit")
def demo(
    listen: Annotated[str, typer.Option(help="The gateway's address.")] = "127.0.0.1:8080",
    requests: Annotated[int, typer.Option(min=1, max=10_000, help="Requests to send.")] = 20,
    *,
    leave: Annotated[bool, typer.Option("--exit", help="Stop after the traffic.")] = False,
) -> None:
    """Run the gateway with mock providers and a little traffic. Needs no key and no network."""
    from costspan.cli.demo import demo as run  # noqa: PLC0415

    _check_listen(listen)
    raise typer.Exit(run(listen=listen, requests=requests, leave=leave))


@app.command(epilog="Example: costspan check -c gateway.yaml")
def check(config: Config = None, *, as_json: AsJson = False) -> None:
    """Validate the configuration; list routes, targets, prices found and missing, warnings.

    Exits 0 when it is valid, 78 when it is not, 1 when a target has no price and prices.on_unpriced is reject.
    """
    from costspan.cli.check import check as run  # noqa: PLC0415
    from costspan.cli.source import find  # noqa: PLC0415

    raise typer.Exit(run(find(config), as_json=as_json))


app.command(epilog="Example: costspan explain -c gateway.yaml --model smart --body request.json")(explain)


@app.command(epilog="Example: costspan init --output gateway.yaml")
def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; - is standard output.")] = Path(
        "gateway.yaml"
    ),
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented gateway.yaml for the provider keys that the environment holds."""
    from costspan.cli.init import init as run  # noqa: PLC0415

    raise typer.Exit(run(output, force=force))


@app.command(epilog="Example: costspan schema > gateway.schema.json")
def schema() -> None:
    """Print the JSON Schema of gateway.yaml."""
    from costspan.cli.init import schema as run  # noqa: PLC0415

    raise typer.Exit(run())


@keys.command("new", epilog="Example: costspan key new checkout")
def key_new(
    name: Annotated[str, typer.Argument(help="Shown in the ledger and in telemetry.")], *, as_json: AsJson = False
) -> None:
    """Make a client key: printed once, only its hash goes into the file."""
    from costspan.cli.keys import new  # noqa: PLC0415

    if not name.strip():
        raise typer.BadParameter("a key needs a name", param_hint="NAME")
    raise typer.Exit(new(name, as_json=as_json))


@app.command(epilog="Example: costspan report --by team --by model --where environment=production --since 2026-11-01")
def report(  # noqa: PLR0913, PLR0917 - options
    config: Config = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="The ledger's folder; else ledger.dir of the configuration.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="model, route, key, provider, day, hour, month, status, bucket, any other field of the ledger, or an "
            "attribute. May be repeated."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only what has this value: team=search; team= for what has none. Repeated: names must all agree, of "
            "the values of one name any will do."
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(help="First day or instant, UTC: 2026-11-01, 2026-11-01T08:00.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this day or instant, UTC.")] = None,
    *,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="For spreadsheets.")] = False,
    as_bars: Annotated[bool, typer.Option("--bars", help="As bars of text.")] = False,
    as_focus: Annotated[
        bool, typer.Option("--focus", help="CSV of FOCUS 1.2, for FinOps tools. Without --by.")
    ] = False,
) -> None:
    """Sum up the ledger: what it cost, by anything.

    Exits 0, 1 when the ledger cannot be read, 2 when a name means nothing.
    """
    import sys  # noqa: PLC0415

    from costspan.cli.report import Question, run_report  # noqa: PLC0415
    from costspan.cli.source import ledger_dir  # noqa: PLC0415

    outputs: dict[Output, bool] = {"csv": as_csv, "json": as_json, "bars": as_bars, "focus": as_focus}
    chosen = [name for name, is_wanted in outputs.items() if is_wanted]
    if len(chosen) > 1:
        raise typer.BadParameter(f"one of --{' and --'.join(chosen)}, not both")
    if as_focus and by:
        raise typer.BadParameter("--focus has its own groups; filter with --where", param_hint="--by")
    conditions = _conditions(where or [])
    if "bucket" in conditions:
        raise typer.BadParameter("an attempt is in several buckets; ask --by bucket", param_hint="--where")
    raise typer.Exit(
        run_report(
            ledger or ledger_dir(config),
            Question(
                by or ([] if as_focus else ["model"]),
                conditions,
                _instant(since, "--since"),
                _instant(until, "--until"),
            ),
            output=chosen[0] if chosen else "table",
            out=sys.stdout,
        )
    )


@app.command(epilog="Example: costspan compare --since 2026-10-01 --until 2026-11-01 --by team")
def compare(
    config: Config = None,
    ledger: Ledger = None,
    by: Annotated[
        list[str] | None, typer.Option(help="Also share each plan's cost among these, as in report. May be repeated.")
    ] = None,
    since: Since = None,
    until: Until = None,
    *,
    as_json: AsJson = False,
) -> None:
    """What the ledger's traffic would have cost under each of billing_plans, fees and minimums included.

    Exits 0, 1 when the ledger cannot be read, 2 when a name after --by means nothing, 78 when the file is not valid.
    """
    import sys  # noqa: PLC0415

    from costspan.cli.compare import run_compare  # noqa: PLC0415
    from costspan.cli.source import find  # noqa: PLC0415

    raise typer.Exit(
        run_compare(
            find(config),
            ledger,
            by=by or [],
            since=_instant(since, "--since"),
            until=_instant(until, "--until"),
            output="json" if as_json else "table",
            out=sys.stdout,
        )
    )


@app.command("what-if", epilog="Example: costspan what-if --target cheap/small-model --by route")
def what_if(  # noqa: PLR0913, PLR0917 - options
    config: Config = None,
    ledger: Ledger = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="provider/model, of the configuration or any well-known provider. May be repeated."),
    ] = None,
    service_tier: Annotated[str | None, typer.Option(help="flex, priority, batch, default, ...")] = None,
    by: Annotated[list[str] | None, typer.Option(help="Group by these, as in report. May be repeated.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only where it is so: route=smart, team=checkout. May be repeated.")
    ] = None,
    since: Since = None,
    until: Until = None,
    *,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Take cached tokens for fresh input.")] = False,
    as_json: AsJson = False,
) -> None:
    """What the ledger's usage would have cost on other targets, in another service tier, without a cache.

    Exits 0, 1 when the ledger cannot be read, 2 when a name means nothing, 78 when the file is not valid.
    """
    import sys  # noqa: PLC0415

    from costspan.cli.source import find  # noqa: PLC0415
    from costspan.cli.what_if import run_what_if  # noqa: PLC0415

    if not target and service_tier is None and not no_cache:
        raise typer.BadParameter("say what would be otherwise: --target, --service-tier or --no-cache")
    raise typer.Exit(
        run_what_if(
            find(config),
            ledger,
            targets=target or [],
            service_tier=service_tier,
            cached=not no_cache,
            by=by or [],
            where=_conditions(where or []),
            since=_instant(since, "--since"),
            until=_instant(until, "--until"),
            output="json" if as_json else "table",
            out=sys.stdout,
        )
    )


@app.command(epilog="Example: costspan reconcile usage.json costs.json --since 2026-10-01 --until 2026-11-01")
def reconcile(  # noqa: PLR0913, PLR0917 - options
    exports: Annotated[
        list[Path],
        typer.Argument(metavar="EXPORT", exists=True, dir_okay=False, help="The provider's files: JSON, CSV, .gz."),
    ],
    config: Config = None,
    ledger: Ledger = None,
    provider: Annotated[str | None, typer.Option(help="The account that is billed; else all of its kind.")] = None,
    export_format: Annotated[str | None, typer.Option("--format", help="Whose export it is; else found out.")] = None,
    since: Annotated[str | None, typer.Option(help="First day, UTC; else the export's.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this day, UTC; else to the export's last.")] = None,
    tolerance: Annotated[str, typer.Option(help="USD that may remain unexplained.")] = "0",
    *,
    as_json: AsJson = False,
) -> None:
    """Hold the ledger against the provider's own export of usage and costs; give each difference its cause.

    Exits 0 when all is explained within the tolerance, 1 when not, 2 when an export cannot be read.
    """
    import sys  # noqa: PLC0415

    from costspan.billing.exports import FORMATS  # noqa: PLC0415
    from costspan.cli.list_prices import ListPrices  # noqa: PLC0415
    from costspan.cli.reconcile import Question, run_reconcile  # noqa: PLC0415
    from costspan.cli.source import find, ledger_dir  # noqa: PLC0415

    if export_format is not None and export_format not in FORMATS:
        raise typer.BadParameter(f"expected one of {', '.join(FORMATS)}", param_hint="--format")
    question = Question(
        exports,
        provider,
        export_format,
        _day(since, "--since"),
        _day(until, "--until"),
        _usd(tolerance, "--tolerance"),
    )
    raise typer.Exit(
        run_reconcile(
            question,
            ledger or ledger_dir(config),
            ListPrices(find(config)),
            output="json" if as_json else "table",
            out=sys.stdout,
        )
    )


def _check_listen(listen: str | None) -> None:
    from costspan.config.schema import listen_address  # noqa: PLC0415

    try:
        listen_address(listen or "127.0.0.1:0")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from None


def _instant(text: str | None, option: str) -> datetime | None:
    """A day or instant, UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected a day such as 2026-11-01 or an instant", param_hint=option) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _day(text: str | None, option: str) -> date | None:
    """A whole UTC day."""
    instant = _instant(text, option)
    if instant is not None and (instant.tzinfo is not UTC or instant.time() != time()):
        raise typer.BadParameter("whole UTC days are compared: expected a day such as 2026-11-01", param_hint=option)
    return instant.date() if instant else None


def _usd(text: str, option: str) -> Decimal:
    """An amount that is none below zero."""
    try:
        usd = Decimal(text)
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or usd < 0:
        raise typer.BadParameter("expected an amount such as 0.50", param_hint=option)
    return usd


def _conditions(texts: list[str]) -> dict[str, list[str]]:
    """What `--where` asks for: the values wanted of each name."""
    wanted: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter("expected NAME=VALUE such as route=smart", param_hint="--where")
        wanted.setdefault(name, []).append(value)
    return wanted
