"""The works in SimPy: a process for each request, and one for each call that a server works on."""

import simpy
from works import BACKOFF_S, GAP_A_S, RETRIES, SERVICE_A_S, SHAPES, Balancer, exp, show, task


def work_a(requests):
    """M/M/1."""
    env, latencies = simpy.Environment(), []
    server, enough = simpy.Resource(env, 1), env.event()

    def customer():
        since = env.now
        with server.request() as place:
            yield place
            yield env.timeout(exp(SERVICE_A_S))
        latencies.append(env.now - since)
        if len(latencies) == requests:
            enough.succeed()

    def arrivals():
        while True:
            yield env.timeout(exp(GAP_A_S))
            env.process(customer())

    env.process(arrivals())
    env.run(until=enough)
    return latencies


def balanced(shape, requests):
    """Timeouts and retries behind a balancer; a server does not learn of a timeout."""
    env, latencies, balancer = simpy.Environment(), [], Balancer(shape)
    servers = [simpy.Resource(env, shape.workers) for _ in range(shape.servers)]
    enough, ended = env.event(), 0

    def call(server, reply):
        with servers[server].request() as place:
            yield place
            yield env.timeout(exp(shape.service_s))
        balancer.calls[server] -= 1
        reply.succeed()

    def request():
        nonlocal ended
        since = env.now
        for attempt in range(RETRIES + 1):
            server = balancer.choose()
            if server is not None:
                reply = env.event()
                env.process(call(server, reply))
                yield reply | env.timeout(shape.timeout_s)
                if reply.triggered:
                    latencies.append(env.now - since)
                    break
            if attempt < RETRIES:
                yield env.timeout(BACKOFF_S * 2**attempt)
        ended += 1
        if ended == requests:
            enough.succeed()

    def stream():
        while True:
            yield env.timeout(exp(shape.gap_s))
            env.process(request())

    def user():
        while True:
            yield env.timeout(exp(shape.think_s))
            yield from request()

    for _ in range(shape.users):
        env.process(user())
    if not shape.users:
        env.process(stream())
    env.run(until=enough)
    return latencies


work, number = task("abc")
show(work_a(number) if work == "a" else balanced(SHAPES[work], number))
