"""Work A in Ciw; it has no timeouts with retries, so it cannot do the others."""

import ciw
from works import GAP_A_S, SERVICE_A_S, show, task

_, number = task("a")
network = ciw.create_network(
    arrival_distributions=[ciw.dists.Exponential(1 / GAP_A_S)],
    service_distributions=[ciw.dists.Exponential(1 / SERVICE_A_S)],
    number_of_servers=[1],
)
ciw.seed(1)
simulation = ciw.Simulation(network)
simulation.simulate_until_max_customers(number, method="Finish")
show([record.exit_date - record.arrival_date for record in simulation.get_all_records()])
