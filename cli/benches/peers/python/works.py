"""The works as numbers, and the line that each program prints: `PROGRAM WORK REQUESTS` prints the mean latency in seconds."""

import random
import sys
from dataclasses import dataclass

GAP_A_S, SERVICE_A_S = 1.25, 1.0
RETRIES, BACKOFF_S = 3, 0.02


@dataclass
class Shape:
    """Work B, or C with `users` who think instead of a stream of requests."""

    servers: int
    workers: int
    queue_max: int
    service_s: float
    timeout_s: float
    gap_s: float = 0.0
    users: int = 0
    think_s: float = 0.0


SHAPES = {
    "b": Shape(servers=10, workers=4, queue_max=100, service_s=0.01, timeout_s=0.05, gap_s=1 / 3400),
    "c": Shape(servers=1000, workers=4, queue_max=1000, service_s=0.02, timeout_s=2.0, users=100_000, think_s=0.1),
}

draws = random.Random(1)


def exp(mean_s):
    """An exponential time, s."""
    return draws.expovariate(1 / mean_s)


class Balancer:
    """Chooses who has the fewest calls: of all in work B, of two in work C."""

    def __init__(self, shape):
        self.shape = shape
        self.calls = [0] * shape.servers
        self.capacity = shape.workers + shape.queue_max

    def choose(self):
        """A server, which then has one call more, or None if it has no room."""
        calls = self.calls
        if self.shape.users:
            first, second = int(draws.random() * len(calls)), int(draws.random() * len(calls))
            server = second if calls[second] < calls[first] else first
        else:
            server = calls.index(min(calls))
        if calls[server] >= self.capacity:
            return None
        calls[server] += 1
        return server


def task(works):
    """The work and how many requests, from the command line."""
    if len(sys.argv) != 3 or sys.argv[1] not in works:
        sys.exit(f"usage: PROGRAM {'|'.join(works)} REQUESTS")
    return sys.argv[1], int(sys.argv[2])


def show(latencies_s):
    """Prints the mean."""
    print(sum(latencies_s) / max(1, len(latencies_s)))
