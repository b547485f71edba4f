"""`costspan serve`: one process, from its first signal handler to its last flush."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from costspan import __version__
from costspan.cli.exposure import check_exposure
from costspan.cli.source import EX_CONFIG
from costspan.errors import ConfigError
from costspan.server.catalog import CatalogReader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from costspan.cli.source import Source
    from costspan.config.load import Loaded
    from costspan.engine.observer import Observer
    from costspan.server.app import Gateway
    from costspan.snapshot import Snapshot

_log = logging.getLogger("costspan")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_DAY = 86_400
_FOREVER_DAYS = 36_500


def serve(source: Source, *, listen: str | None, watch: bool) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # its default action would kill us until the handler stands
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every key
    from costspan.telemetry.logs import ExchangeLog, configure  # noqa: PLC0415 - after the signal

    level = os.environ.get("COSTSPAN_LOG_LEVEL", "INFO").upper()
    if level not in _LEVELS:
        print(f"COSTSPAN_LOG_LEVEL: expected one of {', '.join(_LEVELS)}", file=sys.stderr)  # noqa: T201 - no log yet
        return 2
    configure(level)
    try:
        gateway = build(source, listen=listen, observers=(ExchangeLog(),))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person at the terminal
        return EX_CONFIG
    return run(gateway, watch=watch and source.path is not None)


def build(source: Source, *, listen: str | None, observers: Sequence[Observer] = ()) -> Gateway:
    """Load, validate, wire. Raises `ConfigError`."""
    reader = CatalogReader()

    def load() -> Loaded:
        loaded = source.load()
        reader.begin(loaded.config)
        return loaded

    first: list[Loaded] = [load()]  # before the heavy imports, so that the catalog's child works beside them

    from costspan import snapshot as snapshots  # noqa: PLC0415 - see above
    from costspan.server.app import Gateway  # noqa: PLC0415
    from costspan.server.live import Live  # noqa: PLC0415

    def make(loaded: Loaded, generation: int) -> Snapshot:
        return snapshots.build(loaded, generation=generation, catalog=reader.catalog(loaded.config))

    live = Live(lambda: first.pop() if first else load(), make, lambda snapshot: _check_exposure(snapshot, listen))
    for warning in live.current.warnings:
        _log.warning("%s", warning)
    ledger = _ledger(live.loaded)
    telemetry = _telemetry(live.loaded, lambda: gateway)
    gateway = Gateway(live, ledger=ledger, telemetry=telemetry, observers=observers, address=listen)
    return gateway


def _check_exposure(snapshot: Snapshot, listen: str | None) -> None:
    if warning := check_exposure(snapshot, listen):
        _log.warning("%s", warning)


def _ledger(loaded: Loaded):  # type: ignore[no-untyped-def]  # noqa: ANN202 - Writer or NullWriter
    from costspan.ledger.writer import NullWriter, Writer  # noqa: PLC0415 - late, as in build

    settings = loaded.config.ledger
    if settings.dir is None:
        return NullWriter()
    keep = _FOREVER_DAYS if settings.keep is None else max(int(settings.keep // _DAY), 1)
    return Writer(Path(settings.dir), fsync_interval=settings.fsync, keep_days=keep, clock=time.time)


def _telemetry(loaded: Loaded, gateway: Callable[[], Gateway]):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from costspan.telemetry.metrics import Gauges  # noqa: PLC0415 - late, as in build
    from costspan.telemetry.setup import Settings  # noqa: PLC0415
    from costspan.telemetry.setup import build as build_telemetry  # noqa: PLC0415

    telemetry, attribution = loaded.config.telemetry, loaded.config.attribution
    headers = {k: v if isinstance(v, str) else v.reveal() for k, v in telemetry.otlp.headers.items()}
    settings = Settings(
        service_name=telemetry.service_name,
        service_version=__version__,
        otlp_endpoint=telemetry.otlp.endpoint,
        otlp_protocol=telemetry.otlp.protocol,
        otlp_headers=headers,
        prometheus=telemetry.prometheus,
        cost_aliases=telemetry.cost_aliases,
        metric_attributes=attribution.metric_attributes,
    )
    gauges = Gauges(
        inflight=lambda: gateway().state.in_flight,
        config_generation=lambda: gateway().live.current.generation,
        reload_success=lambda: gateway().live.reload_success,
        ledger_degraded=lambda: gateway().ledger.degraded,
        target_health=lambda: gateway().targets.health(time.monotonic()),
        key_cooldowns=lambda: gateway().keys.cooldowns,
        budgets=lambda: gateway().state.gate.standings(),  # noqa: PLW0108 - there is no gateway yet
    )
    return build_telemetry(settings, gauges, os.environ)


def run(gateway: Gateway, *, watch: bool) -> int:
    """Run the event loop until told to stop."""
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        return runner.run(_main(gateway, watch=watch))


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Make uvloop's loops where it is installed, else the standard library's."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _main(gateway: Gateway, *, watch: bool) -> int:
    signals = Signals(gateway)
    signals.install()
    try:
        await gateway.start()
    except OSError as error:
        _log.error("cannot listen: %s", error)
        await gateway.stop(grace=0)
        return 1
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not walk it again and again
    gc.set_threshold(20_000, 50, 50)
    snapshot = gateway.live.current
    _log.info("providers: %s; routes: %d", ", ".join(snapshot.accounts) or "none", len(snapshot.table.routes))
    for address in gateway.addresses():
        _log.info("listening on %s", address)
    watcher = asyncio.get_running_loop().create_task(signals.follow()) if watch else None
    await signals.stop.wait()
    grace = gateway.live.current.server.shutdown_grace
    _log.info("shutting down, %d requests under way, grace %g s", gateway.state.in_flight, grace)
    await signals.unless_told_again(gateway.stop(grace))
    if watcher is not None:
        await watcher
    return 0


class Signals:
    """SIGTERM and SIGINT stop (twice: at once), SIGHUP reloads."""

    def __init__(self, gateway: Gateway) -> None:
        self.stop = asyncio.Event()
        self._again = asyncio.Event()
        self._gateway = gateway
        self._reload = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._has_terminal = _terminal_is_there()

    def install(self) -> None:
        """Take the signals over."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _end(self) -> None:
        (self._again if self.stop.is_set() else self.stop).set()

    def _hang_up(self) -> None:
        if self._has_terminal and not _terminal_is_there():
            self._end()  # the developer closed the terminal: no orphan that holds keys
            return
        task = asyncio.get_running_loop().create_task(self.reload())  # kept in the set below
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def reload(self, *, aloud: bool = True) -> None:
        """Reload, one after the other."""
        async with self._reload:
            await self._gateway.reload(aloud=aloud)

    async def follow(self) -> None:
        """Reload whenever the content of the configuration's files changes."""
        from costspan.config.watch import changes  # noqa: PLC0415 - only with --watch

        async for _ in changes(lambda: self._gateway.live.loaded.files, self.stop, at_once=True):
            await self.reload(aloud=False)

    async def unless_told_again(self, stopping: Coroutine[None, None, None]) -> None:
        """Finish `stopping`; after a second signal give it one more second."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(stopping)
        again = loop.create_task(self._again.wait())
        await asyncio.wait({task, again}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._gateway.stop(grace=0, flush=0.3)
            logging.shutdown()
            os._exit(0)  # a thread that still waits for a collector would hold us for seconds; the books are closed
        again.cancel()


def _terminal_is_there() -> bool:
    """Whether the process has a controlling terminal that is still connected."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
