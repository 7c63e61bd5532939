"""Works A and B in salabim: a component for each request, and one for each call that a server works on."""

import salabim
from works import BACKOFF_S, GAP_A_S, RETRIES, SERVICE_A_S, SHAPES, Balancer, exp, show, task

salabim.yieldless(False)
work, number = task("ab")
env = salabim.Environment(trace=False)
latencies, ended = [], 0


class Customer(salabim.Component):
    """M/M/1."""

    def process(self):
        since = env.now()
        yield self.request(station)
        yield self.hold(exp(SERVICE_A_S))
        self.release(station)
        latencies.append(env.now() - since)
        if len(latencies) == number:
            env.main().activate()


class Call(salabim.Component):
    """An attempt as its server sees it."""

    def setup(self, server, request):
        self.server, self.request_, self.is_waited_for, self.is_done = server, request, True, False

    def process(self):
        yield self.request(servers[self.server])
        yield self.hold(exp(shape.service_s))
        self.release(servers[self.server])
        balancer.calls[self.server] -= 1
        if self.is_waited_for:
            self.is_done = True
            self.request_.activate()


class Request(salabim.Component):
    """A client with its timeouts and retries."""

    def process(self):
        global ended
        since = env.now()
        for attempt in range(RETRIES + 1):
            server = balancer.choose()
            if server is not None:
                call = Call(server=server, request=self)
                # The answer ends this early.
                yield self.hold(shape.timeout_s)
                if call.is_done:
                    latencies.append(env.now() - since)
                    break
                call.is_waited_for = False
            if attempt < RETRIES:
                yield self.hold(BACKOFF_S * 2**attempt)
        ended += 1
        if ended == number:
            env.main().activate()


class Stream(salabim.Component):
    """Arrivals."""

    def setup(self, gap_s, kind):
        self.gap_s, self.kind = gap_s, kind

    def process(self):
        while True:
            yield self.hold(exp(self.gap_s))
            self.kind()


if work == "a":
    station = salabim.Resource("station", capacity=1, monitor=False)
    Stream(gap_s=GAP_A_S, kind=Customer)
else:
    shape = SHAPES[work]
    balancer = Balancer(shape)
    servers = [salabim.Resource("server.", capacity=shape.workers, monitor=False) for _ in range(shape.servers)]
    Stream(gap_s=shape.gap_s, kind=Request)
env.run()
show(latencies)
