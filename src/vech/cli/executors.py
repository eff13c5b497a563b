"""--executor: who computes, named on the command line."""

import logging
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from vech.tiled.description import is_tiled

ANSWERS = 10.0
"""Seconds in which a scheduler of Dask has to answer."""

WAYS = ("dask://HOST:PORT", "local:N", "threads:N", "processes:N")
COUNTED = re.compile(r"(local|threads|processes):([1-9][0-9]*)", re.ASCII)
SERVED = re.compile(r"dask://(\[[0-9a-fA-F:.]+\]|[\w.-]+):([1-9][0-9]{0,4})", re.ASCII)


class Workers(NamedTuple):
    """What is named: a scheduler at an address, or so many workers of a kind."""

    kind: str
    workers: int = 0
    address: str = ""


class ExecutorName(click.types.StringParamType):
    """The name of an executor."""

    name = "executor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read which one it is."""
        if isinstance(value, Workers):
            return value
        if found := COUNTED.fullmatch(value):
            return Workers(found[1], int(found[2]))
        if (found := SERVED.fullmatch(value)) and int(found[2]) < 2**16:
            return Workers("dask", address=f"tcp://{found[1]}:{found[2]}")
        self.fail(f"{value!r} is none of {', '.join(WAYS)}, such as local:2", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """How each of them begins."""
        begins = [re.sub("HOST.*|N$", "", way) for way in WAYS]
        return [CompletionItem(begin) for begin in begins if begin.startswith(incomplete)]


executor_option = click.option(
    "--executor",
    metavar="WORKERS",
    type=ExecutorName(),
    help="Who computes, unless threads here: dask://HOST:PORT, a scheduler that runs; local:N, as many "
    "workers of Dask here; threads:N or processes:N. Example: --executor local:2",
)


@contextmanager
def started(named: Workers | None) -> Iterator[Any]:
    """What `executor=` takes, for as long as it is needed; None where nothing was named."""
    if named is None:
        yield None
    elif named.kind == "threads":
        with ThreadPoolExecutor(named.workers) as pool:
            yield pool
    elif named.kind == "processes":
        spawned = get_context("spawn")
        with ProcessPoolExecutor(named.workers, spawned, initializer=_end_with_the_client) as pool:
            with _deaf_to_interrupts():
                for _ in range(named.workers):  # a worker begins with each
                    pool.submit(int)
            yield pool
    else:
        with _without_logs(), _client(named) as client:
            yield client


def by_workers(store: Any, workers: Any, file: Path) -> Any:
    """The store of a file, its tiles read and computed with by what was started, if anything was."""
    if workers is None:
        return store
    check_tiles(file, "workers read tiles")
    return store.using(workers)


def check_tiles(file: Path, why: str) -> None:
    """Refuse what is no store of tiles."""
    if not is_tiled(file):
        raise click.ClickException(
            f"{file} is no store of tiles, and {why}: vech tile {file} -o S.zarr first"
        )


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let what is started meanwhile not hear Ctrl-C, which a terminal sends to all: this process ends it.

    Here it is heard when this ends.
    """
    resource_tracker.ensure_running()  # which would let this thread hear it again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_logs() -> Iterator[None]:
    """Of a cluster that is lost Dask writes tracebacks, beside the error that says so."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _end_with_the_client() -> None:
    """End this worker when the process ends that has started it, even killed; Ctrl-C is for that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


@contextmanager
def _client(named: Workers) -> Iterator[Any]:
    """A client of Dask: of workers that are started here, or of a scheduler that runs somewhere."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ImportError(
            f'{named.kind} workers need distributed: pip install "vech[dask]" (processes:N do without)'
        ) from None
    if named.kind == "local":
        with ExitStack() as stack:
            with _deaf_to_interrupts():
                try:
                    cluster = LocalCluster(  # type: ignore[no-untyped-call]
                        n_workers=named.workers,
                        threads_per_worker=1,
                        processes=True,
                        dashboard_address="127.0.0.1:0",
                        silence_logs="CRITICAL",
                    )
                except RuntimeError as error:
                    raise click.ClickException(
                        f"workers of Dask do not start here ({error}): processes:{named.workers} do without"
                    ) from error
                stack.enter_context(cluster)
            yield stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
        return
    try:
        client = Client(named.address, timeout=ANSWERS)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise click.ClickException(
            f"no scheduler of Dask answers at {named.address.removeprefix('tcp://')} within {ANSWERS:.0f} s: "
            "start one there (dask scheduler), or say --executor local:N"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise click.ClickException(
                f"the scheduler at {named.address.removeprefix('tcp://')} has no workers: start some "
                f"(dask worker {named.address})"
            )
        yield client
