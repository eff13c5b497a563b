"""How long jobs on tiles take on a cluster: a simulation by events, and the sizing for a million rows.

python -m benchmarks.scale_model: the sizing on paper, n = 1 000 000 on 32 nodes unless told.
benchmarks/scale_here.py holds the model against what two workers take here.

Tasks are given out by the scheduler, one after the other, a few ahead of the work. Each reads, computes and
writes in a slot of a node. What several tasks use (a disk, the line of a node, the store of all nodes) serves
them in equal shares; the client that takes their results, one after the other. A node that fails loses its
tasks, which are done again, and what it held in memory, which it reads again from the store.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

import numpy as np

FOREVER = math.inf
TOGETHER = 16
"""Tiles of a task of a product."""

MEMORY, DISK, STORE = "memory", "disk", "store"
PLACES = (MEMORY, DISK, STORE)

Happens = Callable[[float], None]
At = Callable[[float, Happens], None]


@dataclass(frozen=True)
class Cluster:
    """What the nodes can do, in bytes, operations and seconds; rates are those of a whole node."""

    nodes: int = 32
    slots: int = 4  # tasks that a node does at a time
    flops: float = 2e12
    memory: float = 200e9  # read by the processor
    disk: float = 6e9
    disk_write: float = 6e9
    line: float = 2e9  # of a node to the store
    store: float = 64e9  # of the store, all nodes together
    client: float = 1.25e9  # at which parts of x go out, and results come back
    ahead: int = 2  # tasks that a node has, for each that it does
    dispatch: float = 1e-3  # the scheduler's time for a task
    between_failures: float = FOREVER  # of one node, on average
    restart: float = 60.0


class Task(NamedTuple):
    """What one task does. `needs` are the numbers of tasks that come before it."""

    reads: float = 0.0
    flops: float = 0.0
    touches: float = 0.0  # bytes that go through the processor
    writes: float = 0.0
    sends: float = 0.0  # bytes that go out with it, and come back
    needs: Sequence[int] = ()


class Outcome(NamedTuple):
    """What a run took."""

    seconds: float
    tasks: int
    repeated: int  # tasks done again since a node failed


class Queue:
    """Something that serves one after the other, so many units a second."""

    def __init__(self, rate: float) -> None:
        self.rate, self.free = rate, 0.0

    def through(self, amount: float, now: float) -> float:
        """When so much is through that comes now."""
        if amount:
            self.free = max(self.free, now) + amount / self.rate
        return max(self.free, now) if amount else now


@dataclass
class Flow:
    """Bytes on their way, by the line of a node."""

    line: int
    left: float
    then: Happens


class Pipe:
    """Something that many use at once, in equal shares, each node by a line that may be narrower."""

    def __init__(self, rate: float, line: float, at: At) -> None:
        self.rate, self.line, self.at = rate, line, at
        self.flows: list[Flow] = []
        self.rates: list[float] = []
        self.clock, self.plans = 0.0, 0

    def send(self, line: int, amount: float, now: float, then: Happens) -> None:
        """Send so many bytes, and call `then` when they have come."""
        if not amount:
            then(now)
            return
        self._advance(now)
        self.flows.append(Flow(line, amount, then))
        self._plan()

    def _shares(self) -> list[float]:
        share = self.rate / max(1, len(self.flows))
        if self.line == FOREVER:
            return [share] * len(self.flows)
        busy = Counter(flow.line for flow in self.flows)
        each = {line: min(share, self.line / flows) for line, flows in busy.items()}
        return [each[flow.line] for flow in self.flows]

    def _advance(self, now: float) -> None:
        for flow, rate in zip(self.flows, self.rates, strict=True):
            flow.left -= rate * (now - self.clock)
        self.clock = now

    def _plan(self) -> None:
        """See to it that the flow that ends first is looked after then; plans made before are void."""
        self.plans += 1
        plan, self.rates = self.plans, self._shares()
        if self.flows:
            wait = min(flow.left / rate for flow, rate in zip(self.flows, self.rates, strict=True))
            self.at(self.clock + max(0.0, wait), lambda now: self._arrive(now, plan))

    def _arrive(self, now: float, plan: int) -> None:
        if plan != self.plans:
            return
        self._advance(now)
        come = [flow for flow in self.flows if flow.left < 1.0]
        self.flows = [flow for flow in self.flows if flow.left >= 1.0]
        self._plan()
        for flow in come:
            flow.then(now)


@dataclass
class Node:
    """A node as it is now."""

    line: int
    disk: Pipe
    disk_write: Pipe
    memory: Pipe
    idle: int
    room: int
    waiting: deque[int] = field(default_factory=deque)
    running: set[int] = field(default_factory=set)
    life: int = 0  # how often it has failed


class Simulation:
    """One run of tasks on a cluster. `place` is where they read, `held` what a node has to read again."""

    def __init__(
        self,
        cluster: Cluster,
        tasks: Iterable[Task],
        place: str = MEMORY,
        *,
        writes_to: str = STORE,
        held: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not all(
            0 < rate < FOREVER for rate in (cluster.memory, cluster.disk, cluster.store, cluster.line)
        ):
            raise ValueError("rates are positive and finite: a large one is as good as none")
        if place not in PLACES or writes_to not in PLACES:
            raise ValueError(f"tasks read and write in {', '.join(PLACES)}, not {place!r} and {writes_to!r}")
        self.cluster, self.tasks = cluster, list(tasks)
        self.place, self.writes_to, self.held = place, writes_to, held
        self.rng = np.random.default_rng(seed)
        self.events: list[tuple[float, int, Happens]] = []
        self.count = itertools.count()
        self.scheduler, self.client = Queue(1.0), Queue(cluster.client)
        self.store = Pipe(cluster.store, cluster.line, self._at)
        self.nodes = [self._node(line) for line in range(cluster.nodes)]
        self.waiting = [len(task.needs) for task in self.tasks]
        self.after: list[list[int]] = [[] for _ in self.tasks]
        for number, task in enumerate(self.tasks):
            for other in task.needs:
                self.after[other].append(number)
        self.ready = deque(number for number, missing in enumerate(self.waiting) if not missing)
        self.left, self.repeated, self.end = len(self.tasks), 0, 0.0

    def run(self) -> Outcome:
        """Let all tasks be done."""
        for node in self.nodes:
            self._plan_failure(node, 0.0)
        self._give_out(0.0)
        while self.left:
            now, _, happens = heapq.heappop(self.events)
            happens(now)
        return Outcome(self.end, len(self.tasks), self.repeated)

    def _node(self, line: int) -> Node:
        c = self.cluster
        pipes = (Pipe(rate, FOREVER, self._at) for rate in (c.disk, c.disk_write, c.memory))
        return Node(line, *pipes, c.slots, c.ahead * c.slots)

    def _at(self, time: float, happens: Happens) -> None:
        heapq.heappush(self.events, (time, next(self.count), happens))

    def _give_out(self, now: float) -> None:
        """Give tasks to the nodes that have room, those with most of it first."""
        while self.ready and (node := max(self.nodes, key=lambda node: node.room)).room:
            number = self.ready.popleft()
            node.room -= 1
            node.running.add(number)
            arrives = self.scheduler.through(self.cluster.dispatch, now)
            self._at(arrives, self._step(node, number, self._arrive))

    def _arrive(self, node: Node, number: int, now: float) -> None:
        node.waiting.append(number)
        self._begin(node, now)

    def _begin(self, node: Node, now: float) -> None:
        while node.idle and node.waiting:
            node.idle -= 1
            self._read(node, node.waiting.popleft(), now)

    def _step(self, node: Node, number: int, does: Callable[[Node, int, float], None]) -> Happens:
        """A part of a task, unless its node has failed before."""
        life = node.life

        def happens(now: float) -> None:
            if node.life == life:
                does(node, number, now)

        return happens

    def _read(self, node: Node, number: int, now: float) -> None:
        self._move(node, self.place, self.tasks[number].reads, now, self._step(node, number, self._touch))

    def _touch(self, node: Node, number: int, now: float) -> None:
        """Compute while the numbers go through the processor: what takes longer counts."""
        computed = now + self.tasks[number].flops * self.cluster.slots / self.cluster.flops
        write = self._step(node, number, self._write)
        node.memory.send(
            0, self.tasks[number].touches, now, lambda touched: self._at(max(computed, touched), write)
        )

    def _write(self, node: Node, number: int, now: float) -> None:
        then = self._step(node, number, self._finish)
        self._move(node, self.writes_to, self.tasks[number].writes, now, then, writes=True)

    def _finish(self, node: Node, number: int, now: float) -> None:
        node.running.remove(number)
        node.idle += 1
        node.room += 1
        self._begin(node, now)
        self.left -= 1
        self.end = max(self.end, self.client.through(self.tasks[number].sends, now))
        for other in self.after[number]:
            self.waiting[other] -= 1
            if not self.waiting[other]:
                self.ready.append(other)
        self._give_out(now)

    def _move(
        self,
        node: Node,
        place: str,
        amount: float,
        now: float,
        then: Happens,
        *,
        writes: bool = False,
    ) -> None:
        if place == STORE:
            self.store.send(node.line, amount, now, then)
        elif place == DISK:
            (node.disk_write if writes else node.disk).send(0, amount, now, then)
        else:
            then(now)

    def _plan_failure(self, node: Node, now: float) -> None:
        if self.cluster.between_failures < FOREVER:
            after = self.rng.exponential(self.cluster.between_failures)
            self._at(now + after, lambda then: self._fail(node, then))

    def _fail(self, node: Node, now: float) -> None:
        self.repeated += len(node.running)
        self.ready.extendleft(sorted(node.running, reverse=True))
        node.running.clear()
        node.waiting.clear()
        node.life += 1
        node.idle = node.room = 0
        self._at(now + self.cluster.restart, lambda then: self._load(node, then))
        self._give_out(now)

    def _load(self, node: Node, now: float) -> None:
        """Read again what the node held in memory."""
        self._move(node, STORE, self.held, now, lambda then: self._restart(node, then))

    def _restart(self, node: Node, now: float) -> None:
        node.idle, node.room = self.cluster.slots, self.cluster.ahead * self.cluster.slots
        self._plan_failure(node, now)
        self._give_out(now)


# ---- what is done on tiles ---------------------------------------------------------------------------------


def spans(n: int, tile: int) -> list[int]:
    """The rows of each tile."""
    return [min(tile, n - first) for first in range(0, n, tile)]


def lower(n: int, tile: int) -> Iterator[tuple[int, int, bool]]:
    """Height and width of each lower tile, and whether it is on the diagonal; by rows."""
    sides = spans(n, tile)
    for i, height in enumerate(sides):
        for j in range(i + 1):
            yield height, sides[j], i == j


def loads(n: int, tile: int, itemsize: int = 8) -> Iterator[Task]:
    """Each tile is read once."""
    for height, width, _ in lower(n, tile):
        size = float(height * width * itemsize)
        yield Task(reads=size, touches=size)


def passes(
    n: int, tile: int, columns: int, itemsize: int = 8, *, beside: int = TOGETHER, merged: bool = False
) -> Iterator[Task]:
    """S times so many columns: a task has so many tiles `beside` each other, the long rows first.

    It gets the parts of x, and gives back both products; `merged` on the nodes they do not come one by one.
    """
    sides = spans(n, tile)
    for i in reversed(range(len(sides))):
        for first in range(0, i + 1, beside):
            widths = sides[first : min(first + beside, i + 1)]
            numbers = float(sides[i] * sum(widths))
            sends = 0.0 if merged else 2.0 * (sides[i] + sum(widths)) * columns * itemsize
            mirrored = numbers - (sides[i] ** 2 if first + beside > i else 0)
            flops = 2.0 * columns * (numbers + mirrored)
            yield Task(reads=numbers * itemsize, touches=numbers * itemsize, flops=flops, sends=sends)


def gram(n: int, tile: int, columns: int, itemsize: int = 8, *, reads: int | None = None) -> Iterator[Task]:
    """X X^T of n rows: a task reads the rows of both sides, `reads` bytes a number, and writes its tile."""
    reads = itemsize if reads is None else reads
    for height, width, diagonal in lower(n, tile):
        rows = height if diagonal else height + width
        yield Task(
            reads=float(rows * columns * reads),
            flops=2.0 * height * width * columns,
            writes=float(height * width * itemsize),
        )


def cholesky(n: int, tile: int, itemsize: int = 8) -> Iterator[Task]:
    """The factor by lower tiles: each is made by one task, of all tiles of its two rows to the left of it."""
    sides = spans(n, tile)
    at = {(i, j): i * (i + 1) // 2 + j for i in range(len(sides)) for j in range(i + 1)}
    for i, height in enumerate(sides):
        for j, width in enumerate(sides[: i + 1]):
            left = sum(sides[:j])
            own = height * width
            rows = height if i == j else height + width
            solved = width**3 / 3 if i == j else float(own * width)
            updates = 1.0 if i == j else 2.0  # of a square one triangle
            needs = {at[row, k] for row in (i, j) for k in range(j)} | ({at[j, j]} if i != j else set())
            reads = own + rows * left + (0 if i == j else width * width)
            yield Task(
                reads=float(reads * itemsize),
                flops=updates * own * left + solved,
                writes=float(own * itemsize),
                needs=sorted(needs),
            )


def simulate(
    cluster: Cluster, tasks: Iterable[Task], place: str = MEMORY, *, held: float = 0.0, seed: int = 0
) -> Outcome:
    """What a run takes, results in the store."""
    return Simulation(cluster, tasks, place, held=held, seed=seed).run()


# ---- on paper ----------------------------------------------------------------------------------------------

PAPER = Cluster()
"""32 nodes of 64 cores, 512 GB and an NVMe disk each, and a store of 2 GB/s for each node."""

ROWS, TILE, SIDE = 1_000_000, 4096, 16_384
COLUMNS, MARKERS, PASSES = 64, 500_000, 20
DAYS = 86_400.0


class Sized(NamedTuple):
    """One line of the sizing."""

    what: str
    seconds: float
    tasks: int
    repeated: int


def sizing(cluster: Cluster = PAPER, n: int = ROWS, tile: int = TILE, side: int = SIDE) -> list[Sized]:
    """What each job takes, in tiles; those that multiply matrices in larger ones, of `side` rows."""
    half = sum(float(8 * height * width) for height, width, _ in lower(n, tile))
    failing = replace(cluster, between_failures=5 * DAYS)
    single = replace(cluster, flops=2 * cluster.flops)
    whole = replace(cluster, slots=1)  # all cores of a node at one tile
    held = half / cluster.nodes

    def run(what: str, tasks: Iterator[Task], place: str, on: Cluster = cluster) -> Sized:
        found = simulate(on, tasks, place, held=held if place == MEMORY else 0.0)
        return Sized(what, found.seconds, found.tasks, found.repeated)

    def product_in(place: str) -> list[Sized]:
        """Of one pass, and of the passes for the largest eigenvalues."""
        name = {MEMORY: "in memory", DISK: "from NVMe", STORE: "from the store"}[place]
        once = run(f"{product}, {name}", passes(n, tile, COLUMNS), place)
        return [once, Sized(f"{top} {name}", PASSES * once.seconds, PASSES * once.tasks, once.repeated)]

    product = f"S @ x, {COLUMNS} columns"
    top = f"top eigenpairs, {PASSES} passes"
    markers = f"gram of {MARKERS:,} int8 columns, tiles of {side:,}"
    in_memory, on_disk, in_store = (product_in(place) for place in PLACES)
    return [
        run("read once from the store", loads(n, tile), STORE),
        run("read once from NVMe", loads(n, tile), DISK),
        in_memory[0],
        run(f"{product}, in memory, a task a tile", passes(n, tile, COLUMNS, beside=1), MEMORY),
        run(f"{product}, in memory, merged on the nodes", passes(n, tile, COLUMNS, merged=True), MEMORY),
        on_disk[0],
        in_store[0],
        in_memory[1],
        on_disk[1],
        in_store[1],
        run(f"{markers}, float64", gram(n, side, MARKERS, 8, reads=1), STORE),
        run(f"{markers}, float32", gram(n, side, MARKERS, 4, reads=1), STORE, single),
        run(
            "that in float64, a node failing every five days",
            gram(n, side, MARKERS, 8, reads=1),
            STORE,
            failing,
        ),
        run(f"Cholesky, tiles of {side:,}", cholesky(n, side), STORE, whole),
        run("that, a node failing every five days", cholesky(n, side), STORE, replace(failing, slots=1)),
    ]


def in_words(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def on_paper(cluster: Cluster = PAPER, n: int = ROWS, tile: int = TILE, side: int = SIDE) -> str:
    """The sizing as a table of Markdown."""
    c, rows = cluster, sizing(cluster, n, tile, side)
    lines = [
        f"n = {n:,} in float64, tiles of {tile:,} rows; {c.nodes} nodes, each {c.flops / 1e12:g} TFLOP/s,",
        f"{c.memory / 1e9:g} GB/s from memory, {c.disk / 1e9:g} from NVMe, {c.line / 1e9:g} from the store",
        f"({c.store / 1e9:g} in all); {c.dispatch * 1e3:g} ms of the scheduler for a task, and",
        f"{c.client / 1e9:g} GB/s between the client and all workers.",
        "",
        "| job | time | tasks | done again |",
        "| --- | --- | --- | --- |",
        *(f"| {row.what} | {in_words(row.seconds)} | {row.tasks:,} | {row.repeated} |" for row in rows),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The sizing of what is said, of a million rows on 32 nodes unless told."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale_model",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for name, usual in (("n", ROWS), ("tile", TILE), ("side", SIDE)):
        parser.add_argument(f"--{name}", type=int, default=usual, help="rows")
    for each in fields(Cluster):
        kind = type(each.default)
        option = f"--{each.name.replace('_', '-')}"
        parser.add_argument(option, type=kind, default=each.default, help="of the cluster")
    said = vars(parser.parse_args(arguments))
    job = {name: said.pop(name) for name in ("n", "tile", "side")}
    print(on_paper(Cluster(**said), **job))


if __name__ == "__main__":
    main()
