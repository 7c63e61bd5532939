"""Work A in happysim. Its own client takes a server's accepting a request for the answer, so that work B would have to be
written against its bare engine, which would say little about it."""

from happysimulator import Instant, Server, Simulation, Sink, Source
from happysimulator.distributions import ExponentialLatency
from works import GAP_A_S, SERVICE_A_S, show, task

_, number = task("a")
sink = Sink()
server = Server("server", service_time=ExponentialLatency(SERVICE_A_S), downstream=sink)
source = Source.poisson(rate=1 / GAP_A_S, target=server)
end = Instant.from_seconds(number * GAP_A_S)
Simulation(sources=[source], entities=[server, sink], end_time=end).run()
show(sink.latencies_s)
