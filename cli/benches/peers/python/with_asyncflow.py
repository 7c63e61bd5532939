"""M/D/1 in asyncflow-sim instead of work A: its service times are constant, and it has neither timeouts nor retries.

A service takes 10 ms here, since rates are given a minute and as whole seconds; the mean is printed as if it took 1 s.
"""

import simpy
from asyncflow import AsyncFlow, SimulationRunner
from asyncflow.components import Client, Edge, Endpoint, Server
from asyncflow.settings import SimulationSettings
from asyncflow.workload import RqsGenerator
from works import show, task

_, number = task("a")
SERVICE_S, RATE = 0.01, 80


def edge(source, target):
    """A connection that takes no time."""
    delay = {"mean": 1e-9, "distribution": "exponential"}
    return Edge(id=f"{source}-{target}", source=source, target=target, latency=delay, dropout_rate=0.0)


work = {"kind": "initial_parsing", "step_operation": {"cpu_time": SERVICE_S}}
server = Server(
    id="server",
    server_resources={"cpu_cores": 1, "ram_mb": 8192},
    endpoints=[Endpoint(endpoint_name="/", steps=[work])],
)
generator = RqsGenerator(
    id="generator",
    avg_active_users={"mean": RATE, "distribution": "normal", "variance": 1e-6},
    avg_request_per_minute_per_user={"mean": 60},
    user_sampling_window=60,
)
settings = SimulationSettings(
    total_simulation_time=max(5, number // RATE),
    sample_period_s=0.1,
    enabled_sample_metrics=[],
    enabled_event_metrics=["rqs_clock"],
)
flow = AsyncFlow().add_generator(generator).add_client(Client(id="client")).add_servers(server)
flow = flow.add_edges(edge("generator", "client"), edge("client", "server"), edge("server", "client"))
payload = flow.add_simulation_settings(settings).build_payload()
results = SimulationRunner(env=simpy.Environment(), simulation_input=payload).run()
results.process_all_metrics()
show([latency / SERVICE_S for latency in results.latencies or []])
