//! Links whose calls need only attempts with timeouts take a faster path with the same result.
//!
//! A bound on the whole call that never applies sends the same calls along the general path, so both must give the same
//! bytes, whatever happens to the calls: timeouts, retries, rejections, replicas that are killed, paused or slow, a network
//! that becomes slow while calls are under way, changed settings. On the faster path, a request usually serves as its own
//! first attempt.

use lab::result::RunResult;

use crate::harness::{bytes, load, run_loaded};

/// Clients of `to`: a service with several replicas, or a component in front of it or behind it, which calls a cache, which
/// calls another service; `bound` applies to all links. The data key of a request travels along to the cache, whose hits
/// distinguish keys. There are enough requests that only a quarter of them is sampled; the others serve as their own first
/// attempts.
fn scenario(to: &str, bound: &str) -> String {
    format!(
        "version: 1
run: {{duration: 20s, warmup: 2s}}
workloads:
  clients:
    arrivals: {{poisson: 2000/s}}
    requests: [{{key: {{zipf: {{keys: 5000, s: 0.8}}}}}}]
    call: {{to: {to}, timeout: 60ms{bound}, retry: {{max_attempts: 3, backoff: {{exponential: {{base: 10ms}}, jitter: full}}}}}}
components:
  lb: {{kind: load_balancer, to: web, algorithm: {{power_of_two: {{choices: 2}}}}}}
  names: {{kind: dns, ttl: 1s, to: lb}}
  memory: {{kind: cache, to: {{to: db, timeout: 40ms{bound}}}, capacity: 500, ttl: 1s}}
  web:
    kind: service
    replicas: 3
    runtime: {{thread_pool: {{threads: 25}}}}
    admission: {{queue: {{max: 100}}}}
    handlers: {{default: [{{wait: {{exp: 10ms}}}}, {{call: db}}]}}
    calls: {{db: {{to: memory, timeout: 40ms{bound}, retry: {{max_attempts: 2}}}}}}
  db:
    kind: service
    runtime: {{thread_pool: {{threads: 30}}}}
    admission: {{queue: {{max: 250}}}}
    handlers: {{default: [{{wait: {{exp: 8ms}}}}]}}
faults:
  - {{at: 3s, for: 2s, slow: {{component: db, factor: 4}}}}
  - {{at: 7s, for: 1s, kill: {{component: web, replica: 1}}}}
  - {{at: 10s, for: 500ms, pause: {{component: web, replica: 0}}}}
  - {{at: 12s, for: 1s, errors: {{component: db, fraction: 30%}}}}
  - {{at: 14s, for: 2s, set: {{workloads.clients.call.timeout: 25ms}}}}
  - {{at: 17s, for: 1s, set: {{workloads.clients.call.total_timeout: 30ms}}}}
  - {{at: 4s, for: 1s, kill: {{component: lb}}}}
  - {{at: 9s, for: 300ms, pause: {{component: lb}}}}
  - {{at: 13s, for: 1s, network: {{link: clients.call, add: 10ms, loss: 1%}}}}
"
    )
}

/// A result without the parts that describe the scenario's text and the amount of work.
fn figures(mut result: RunResult) -> RunResult {
    result.scenario = Default::default();
    result.run = Default::default();
    result
}

#[test]
fn a_bound_that_never_comes_changes_nothing() {
    for to in ["web", "db", "lb", "names", "memory"] {
        let (plain, bounded) = (load(&scenario(to, "")), load(&scenario(to, ", total_timeout: 1h")));
        for seed in 0..8 {
            let [short, long] = [&plain, &bounded].map(|loaded| figures(run_loaded(loaded, seed)));
            let clients = &short.links["clients"];
            assert!(clients.iter().all(|(_, link)| link.retries > 100), "calls fail and are tried again: {clients:?}");
            assert_eq!(bytes(&short), bytes(&long), "seed {seed}, calls to {to}");
        }
    }
}
