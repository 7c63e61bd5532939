//! Random scenarios: small networks of services, balancers, DNS, caches, databases, queues and external services, with
//! policies and faults.
//!
//! A scenario is generated from a sequence of choices, each a number; after the end of the sequence, all further choices are
//! 0, which is always the simplest one. So a failing sequence can be shrunk until little remains but the failure.

use std::fmt::Write;

#[path = "topology/admission.rs"]
mod admission;
#[path = "topology/lookouts.rs"]
mod lookouts;
#[path = "topology/memory.rs"]
mod memory;

use admission::{admission, queue};

/// The sequence of choices.
pub(crate) struct Choices<'a> {
    left: std::slice::Iter<'a, u16>,
}

impl<'a> Choices<'a> {
    pub(crate) fn new(choices: &'a [u16]) -> Choices<'a> {
        Choices { left: choices.iter() }
    }

    fn below(&mut self, n: usize) -> usize {
        self.left.next().copied().unwrap_or(0) as usize % n
    }

    fn of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())]
    }

    /// True once in `n` times; false if the choices have run out.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}

const SERVICES: usize = 3;
const DATABASES: usize = 2;
const SHORT: [&str; 6] =
    ["10ms", "{exp: 5ms}", "0s", "1ms", "{uniform: [0ms, 40ms]}", "{hyperexp: {mean: 20ms, cv: 3}}"];
const OUTCOMES: [&str; 5] = ["error", "unavailable", "overload", "client_error", "reset"];

/// The text of a scenario.
pub(crate) fn scenario(choices: &[u16]) -> String {
    let mut c = Choices::new(choices);
    let mut text = String::from("version: 1\n");
    let warmup = c.of(&["0s", "2s", "2300ms"]);
    let window = c.of(&["1s", "700ms"]);
    let _ = writeln!(text, "run: {{duration: 20s, warmup: {warmup}, window: {window}}}");
    let services = 1 + c.below(SERVICES);
    let databases = 1 + c.below(DATABASES);
    let _ = writeln!(text, "hosts: {{box: {{count: 2, {}}}}}\nworkloads:", memory::host(&mut c));
    let workloads = 1 + c.below(2);
    // The component called by the workloads; components in front of the first service exist only if they are called.
    let front = c.of(&["s0", "lb", "dns", "dns to lb"]);
    let has_cache = c.once_in(2);
    let has_queue = c.once_in(3);
    let mut open = Vec::new();
    for nth in 0..workloads {
        let is_open = workload(&mut c, &mut text, nth, front, has_cache);
        open.push(is_open);
    }
    text.push_str("components:\n");
    before_services(&mut c, &mut text, front);
    for nth in 0..services {
        service(&mut c, &mut text, nth, services, databases, has_cache, has_queue && nth == 0);
    }
    for nth in 0..databases {
        database(&mut c, &mut text, nth);
    }
    if has_cache {
        cache(&mut c, &mut text);
    }
    external(&mut c, &mut text);
    let style = has_queue.then(|| queue_and_consumer(&mut c, &mut text));
    if text.contains("by: client")
        && !text.contains("    clients: ")
        && !["closed", "connections", "sessions"].iter().any(|users| text.contains(&format!("arrivals: {{{users}")))
    {
        // A limit by client needs clients that send more than one request.
        text = text.replacen("    call: {to", "    clients: 5\n    call: {to", 1);
    }
    faults(&mut c, &mut text, services, &open, front, has_cache, style);
    events(&mut c, &mut text, has_queue);
    text
}

fn workload(c: &mut Choices<'_>, text: &mut String, nth: usize, front: &str, has_cache: bool) -> bool {
    let (arrivals, open) = c.of(&[
        ("{poisson: 20/s}", true),
        ("{constant: 50/s}", true),
        ("{poisson: 100/s}", true),
        ("{poisson: 10/s, batch: {geometric: 4}}", true),
        ("{mmpp: {states: [{rate: 100/s, stays: {exp: 500ms}}, {rate: 5/s, stays: 1s}]}}", true),
        ("{renewal: {interarrival: {gamma: {mean: 20ms, cv: 2}}}}", true),
        ("{sessions: {rate: 5/s, requests: {geometric: 3}, think: {exp: 200ms}}}", true),
        ("{closed: {users: 10, think: {exp: 100ms}, ramp: 1s}}", false),
        ("{connections: {count: 5, think: 50ms}}", false),
    ]);
    let _ = writeln!(text, "  w{nth}:\n    arrivals: {arrivals}");
    if open && c.once_in(4) {
        text.push_str("    shape: {steps: [{at: 5s, x: 3}, {at: 8s, x: 0.5}]}\n");
    }
    // A cache needs keys.
    let requests = if has_cache {
        c.of(&[
            "[{op: default, key: {uniform: {keys: 5}}}]",
            "[{op: default, weight: 3, key: {zipf: {keys: 20, s: 1}}}, {op: other, priority: high, key: {uniform: {keys: 3}}}]",
            "[{op: default, size: 1KB, key: {uniform: {keys: 200}}}]",
            "[{op: default, key: {uniform: {keys: 20}}, demand: {exp: 1}}, {op: other, demand: {uniform: [0, 2]}}]",
        ])
    } else {
        c.of(&[
            "",
            "[{op: default, key: {uniform: {keys: 5}}}]",
            "[{op: default, weight: 3, key: {zipf: {keys: 20, s: 1}}}, {op: other, priority: high, size: 4KiB}]",
            "[{op: default, priority: low}, {op: other, priority: critical}, {op: default, size: 1KB}]",
            "[{op: default, poll: {op: other, every: {exp: 100ms}, timeout: 2s}}, {op: other, poll: {op: default, every: 500ms}}]",
            "[{op: default, demand: {exp: 1}}, {op: other, demand: {lognormal: {mean: 1, cv: 2}}}]",
        ])
    };
    if !requests.is_empty() {
        let _ = writeln!(text, "    requests: {requests}");
    }
    let policies = link(c);
    if open && !arrivals.starts_with("{sessions") {
        let clients = c.of(&["", "    clients: 3\n", "    clients: {count: 20, zipf: 1}\n"]);
        text.push_str(clients);
    }
    let knows = lookouts::health_check(c);
    let _ = writeln!(text, "    call: {{to: {}{policies}{knows}}}", entry(front));
    open
}

/// The component that a workload calls.
fn entry(front: &str) -> &str {
    front.split(' ').next().unwrap_or(front)
}

/// A balancer in front of the first service, a DNS in front of it or of the balancer.
fn before_services(c: &mut Choices<'_>, text: &mut String, front: &str) {
    if front.contains("lb") {
        let algorithm = c.of(&[
            "round_robin",
            "random",
            "least_connections",
            "power_of_two",
            "{power_of_two: {choices: 5}}",
            "weighted_round_robin",
            "peak_ewma",
            "{peak_ewma: {decay: 1s, initial: 30ms}}",
            "locality",
            "{ring_hash: {min_size: 64, max_load: 1.25}}",
            "{maglev: {table_size: 251}}",
        ]);
        let instances = c.of(&[1, 2]);
        let plain = c.once_in(2);
        let to = if plain { format!("{{to: s0{}}}", policies(c, true)) } else { "s0".to_string() };
        let per = if plain { "" } else { c.of(&["", ", per: connection"]) };
        let check = lookouts::health_check(c);
        let knows = lookouts::lookout(c, algorithm, check, instances);
        let _ = writeln!(
            text,
            "  lb: {{kind: load_balancer, algorithm: {algorithm}, instances: {instances}, to: {to}{per}{knows}}}"
        );
    }
    if front.contains("dns") {
        let target = if front.contains("lb") { "lb" } else { "s0" };
        let targets = c.of(&["", ", x0", ", d0"]);
        let policy = c.of(&["weighted", "failover"]);
        let check = c.of(&["", ", health_check: {interval: 1s, failures: 2}", ", health_check: instant"]);
        let (ttl, resolvers) = (c.of(&["1s", "0s", "60s"]), c.of(&[5, 1]));
        let _ = writeln!(
            text,
            "  dns: {{kind: dns, to: [{target}{targets}], policy: {policy}, ttl: {ttl}, resolvers: {resolvers}{check}}}"
        );
    }
}

/// A cache in front of the first database.
fn cache(c: &mut Choices<'_>, text: &mut String) {
    let capacity = c.of(&[100, 1, 5]);
    let ttl = c.of(&["", ", ttl: 1s", ", ttl: {time: 500ms, jitter: 50%}", ", ttl: {time: 300ms, sliding: true}"]);
    let eviction =
        c.of(&["lru", "fifo", "lfu", "perfect_lfu", "random", "clock", "sieve", "s3_fifo", "tiny_lfu", "static"]);
    let latency = c.of(&["0s", "500us", "{exp: 2ms}"]);
    let coalesce = c.of(&["", ", coalesce: true", ", lease: {every: 50ms}"]);
    // With two operations, it must know what each of them does.
    let ops = if text.contains("op: other") {
        c.of(&[
            ", read_ops: [default, other]",
            ", write_ops: [other]",
            ", read_ops: [default]",
            ", write_ops: [default, other]",
        ])
    } else {
        ""
    };
    let mut more = String::new();
    more.push_str(c.of(&["", ", warm: 50%", ", instances: 2", ", negative_ttl: 300ms"]));
    if !ttl.is_empty() {
        more.push_str(c.of(&[
            "",
            ", stale_while_revalidate: 500ms",
            ", stale_if_error: 1s",
            ", early_expiry: {beta: 2}",
            ", stale_while_revalidate: 200ms, stale_if_error: 2s, early_expiry: {}",
        ]));
    }
    more.push_str(c.of(&["", ", write_back: {exp: 5ms}"]));
    if ops.contains("write_ops") {
        more.push_str(c.of(&[
            "",
            ", mode: through",
            ", on_write: update",
            ", on_write: keep",
            ", mode: {behind: {flush: 300ms}}",
        ]));
    }
    let mut kept = format!("capacity: {capacity}{ttl}, eviction: {eviction}{coalesce}{more}");
    if c.once_in(8) {
        kept = "hit_ratio: 50%".to_string();
    }
    let timeout = c.of(&["", ", timeout: 2ms"]);
    let policies = link(c);
    let _ = writeln!(text, "  c0: {{kind: cache, to: {{to: d0{policies}}}, {kept}, latency: {latency}{timeout}{ops}}}");
}

/// An external service.
fn external(c: &mut Choices<'_>, text: &mut String) {
    let latency = c.of(&["10ms", "{exp: 20ms}", "0s"]);
    let errors = c.of(&["", ", errors: 20%", ", errors: {fraction: 50%, outcome: unavailable}"]);
    let rate = c.of(&[
        "",
        ", rate_limit: {token_bucket: {rate: 20/s, burst: 3}}",
        ", rate_limit: {fixed_window: {limit: 3, window: 200ms}, by: key}",
    ]);
    let concurrency = c.of(&["", ", concurrency: 2"]);
    let _ = writeln!(text, "  x0: {{kind: external, latency: {latency}{errors}{rate}{concurrency}}}");
}

/// The policies of a link, each preceded by a comma.
fn link(c: &mut Choices<'_>) -> String {
    // It may lead to who does not know of ties.
    policies(c, false).replace(", tied: true", "")
}

/// The same, optionally for the link of a balancer, which chooses the targets itself.
fn policies(c: &mut Choices<'_>, is_balancer: bool) -> String {
    let mut text = String::new();
    if c.once_in(2) {
        let _ = write!(text, ", timeout: {}", c.of(&["100ms", "30ms", "1s", "5ms"]));
    }
    if c.once_in(4) {
        let _ = write!(text, ", total_timeout: {}", c.of(&["500ms", "50ms", "2s"]));
    }
    if c.once_in(2) {
        let attempts = c.of(&[2, 3, 5]);
        let backoff = c.of(&[
            "",
            ", backoff: {fixed: 10ms}",
            ", backoff: {exponential: {base: 10ms, max: 1s}, jitter: full}",
            ", backoff: {linear: {base: 20ms}, jitter: equal}",
            ", backoff: {exponential: {base: 10ms, max: 1s}, jitter: decorrelated}",
            ", backoff: {exponential: {base: 10ms}, jitter: {range: [0.8, 1.2]}}",
        ]);
        let budget = c.of(&[
            "",
            ", budget: {ratio: {ratio: 10%, min: 1/s}}",
            ", budget: {ratio: {window: 1s}}",
            ", budget: {concurrent: {share: 50%, min: 1}}",
            ", budget: {tokens: {max: 3, ratio: 0.5}}",
            ", budget: {aws_standard: {quota: 20}}",
            ", budget: {aws_adaptive: {quota: 50}}",
        ]);
        let when = c.of(&["", ", when: [timeout, pool_timeout, unavailable, reset]"]);
        let _ = write!(text, ", retry: {{max_attempts: {attempts}{backoff}{budget}{when}}}");
    }
    if c.once_in(4) {
        let _ = write!(
            text,
            ", hedge: {}",
            c.of(&[
                "{delay: 20ms}",
                "{delay: 5ms, max: 3}",
                "{delay: 0s}",
                "{delay: p80, max: 2}",
                "{delay: 2ms, tied: true}"
            ])
        );
    }
    if c.once_in(5) {
        let fallback = c.of(&["degraded", "{takes: {exp: 5ms}}", "{when: [timeout, breaker_open], takes: 10ms}"]);
        let _ = write!(text, ", fallback: {fallback}");
    }
    if c.once_in(6) {
        let throttle = c.of(&["adaptive", "{adaptive: {k: 1.1, window: 1s}}"]);
        let _ = write!(text, ", throttle: {throttle}");
    }
    if c.once_in(4) {
        let rate_limit = c.of(&[
            "{token_bucket: {rate: 20/s, burst: 3}}",
            "{leaky_bucket: {rate: 30/s, queue: 5}}",
            "{fixed_window: {limit: 5, window: 200ms}, by: op}",
            "{sliding_log: {limit: 5, window: 200ms}}",
            "{sliding_counter: {limit: 3, window: 100ms}, by: key}",
            "{leaky_bucket: {rate: 5/s, queue: 2}, by: key}",
            "{token_bucket: {rate: 5/s, burst: 2}, by: client}",
            "{leaky_bucket: {rate: 3/s, queue: 2}, by: client}",
        ]);
        let _ = write!(text, ", rate_limit: {rate_limit}");
    }
    if c.once_in(4) {
        let breaker = c.of(&[
            "{consecutive: 3, open: 500ms, half_open: 1}",
            "{count_window: {size: 10, minimum: 5}, open: 1s, half_open: 3, slow: {over: 20ms, rate: 50%}}",
            "{time_window: {span: 2s, minimum: 4}, open: 300ms, half_open: 2}",
            "{hystrix: {open: 1s}}",
        ]);
        let _ = write!(text, ", breaker: {breaker}");
    }
    if c.once_in(4) {
        let concurrency = c.of(&[
            "{fixed: 2}",
            "{fixed: 1, wait: 20ms}",
            "{fixed: 5, wait: 1s}",
            "{aimd: {initial: 3, min: 1, max: 6}, wait: 20ms}",
            "{aimd: {initial: 3, min: 1}, window: {min: 100ms, max: 200ms, samples: 2}}",
            "{vegas: {initial: 2, probe_multiplier: 3}}",
            "{gradient: {initial: 5, probe_interval: 20}, wait: 1s}",
            "{gradient2: {initial: 4, min: 1, queue_size: 1}}",
            "{envoy_gradient: {requests: 3, min: 1, min_rtt: 1s}, wait: 50ms}",
            "{envoy_thresholds: {connections: 2, pending: 1}}",
        ]);
        let _ = write!(text, ", concurrency: {concurrency}");
    }
    if c.once_in(3) {
        let size = c.of(&[2, 1, 10]);
        let more = c.of(&[
            "",
            ", acquire_timeout: 50ms",
            ", max_waiters: 3, connect: 5ms, min_idle: 0",
            ", max_lifetime: 1s, connect: {exp: 2ms}, order: lifo",
            ", streams: 3, connect: 3ms, min_idle: 0",
            ", max_lifetime: 500ms, jitter: 50%, streams: 2",
            ", idle_timeout: 100ms, min_idle: 0, acquire_timeout: 10ms",
            ", open: in_background, connect: 5ms, max_lifetime: 1s",
            ", open: in_background, min_idle: 0, acquire_timeout: 100ms, streams: 2",
        ]);
        let per = if is_balancer { "" } else { c.of(&["", ", per: target", ", per: target, choose: round_robin", ""]) };
        let _ = write!(text, ", pool: {{size: {size}{more}{per}}}");
    }
    if c.once_in(5) {
        let _ = write!(text, ", coalesce: {{by: {}}}", c.of(&["key", "op", "key, context: leader"]));
    }
    if c.once_in(5) {
        let _ = write!(
            text,
            ", batch: {}",
            c.of(&[
                "{max: 3, wait: 20ms}",
                "{max: 1, wait: 5ms}",
                "{max: 50, wait: 100ms}",
                "{max: 50, wait: 100ms, max_bytes: 3KB}",
                "{max: 5, wait: 20ms, bad_items: 10%}",
                "{max: 5, wait: 20ms, bad_items: 5%, on_bad_item: all}",
            ])
        );
    }
    if c.once_in(3) {
        let network = c.of(&[
            "{rtt: 2ms}",
            "{rtt: 10ms, loss: 5%}",
            "{rtt: 1ms, bandwidth: 1Mb/s}",
            "{rtt: 1ms, bandwidth: 1Mb/s, headers: 78B}",
            // A pool keeps its connections open.
            if text.contains("pool: ") { "{rtt: 3ms, loss: 10%}" } else { "{rtt: 3ms, loss: 10%, keep_alive: false}" },
        ]);
        let _ = write!(text, ", network: {network}");
    }
    let propagate = c.of(&["", "[cancel]", "[deadline]", "[deadline, cancel]"]);
    if !propagate.is_empty() {
        let _ = write!(text, ", propagate: {propagate}");
    }
    text
}

/// The settings of a queue specific to its style, each preceded by a comma.
fn of_style(c: &mut Choices<'_>, style: &str) -> String {
    let dead = if c.once_in(2) { ", dead_letter: q1" } else { "" };
    match style {
        "plain" => {
            let full =
                ["", ", capacity: 5, full: reject", ", capacity: 3, full: block", ", capacity: 4, full: drop_oldest"];
            format!("{dead}{}", c.of(&full))
        }
        "rabbitmq" => {
            let prefetch = c.of(&["", ", prefetch: 1", ", prefetch: 5"]);
            let limit = c.of(&["", ", delivery_limit: 2", ", delivery_limit: none"]);
            format!("{dead}{prefetch}{limit}{}", c.of(&["", ", durable: false"]))
        }
        _ => {
            let visibility = c.of(&[", visibility_timeout: 50ms", ", visibility_timeout: 1s", ""]);
            let receives = if dead.is_empty() { "" } else { c.of(&["", ", max_receives: 1", ", max_receives: 3"]) };
            let delay = c.of(&["", ", delay: 200ms"]);
            let in_flight = c.of(&["", ", in_flight_max: 2"]);
            let rate = c.of(&["", ", rate: 20/s", ", rate: none"]);
            format!("{dead}{visibility}{receives}{delay}{in_flight}{rate}")
        }
    }
}

/// The settings of a consumer for a queue of a style, each preceded by a comma.
fn consuming(c: &mut Choices<'_>, style: &str, queue: &str) -> String {
    let op = c.of(&["", ", op: default"]);
    let concurrency = c.of(&["", ", concurrency: 1", ", concurrency: 7"]);
    let idempotent = c.of(&["", ", idempotent: true"]);
    let gives_up = if queue.contains("dead_letter") { ", on_failure: dead_letter" } else { ", on_failure: requeue" };
    let ack = c.of(&["", ", ack: before", ", on_failure: skip", ", on_failure: requeue", gives_up]);
    let network = c.of(&["", ", network: {rtt: 2ms}", ", network: {rtt: 10ms, loss: 5%}"]);
    let own = match style {
        "plain" => "",
        "rabbitmq" => c.of(&["", ", prefetch: 2"]),
        _ => {
            let extends = if ack.contains("before") { "" } else { ", extend_visibility: true" };
            c.of(&["", ", batch: 3", ", batch: 10, partial_failures: false", ", wait: 1s", extends])
        }
    };
    format!("{op}{concurrency}{idempotent}{ack}{network}{own}")
}

/// A queue, a service that consumes from it and calls a database, and a dead-letter queue. Returns the queue's style.
fn queue_and_consumer(c: &mut Choices<'_>, text: &mut String) -> &'static str {
    let style = c.of(&["plain", "sqs", "sqs_fifo", "rabbitmq"]);
    let publish = c.of(&["", ", publish: {exp: 2ms}"]);
    let receive = c.of(&["", ", receive: 1ms", ", receive: {exp: 5ms}"]);
    let own = of_style(c, style);
    let _ = writeln!(text, "  q0: {{kind: queue, style: {style}{own}{publish}{receive}}}");
    let _ = writeln!(text, "  q1: {{kind: queue, style: {style}}}");
    let replicas = 1 + c.below(3);
    let _ = writeln!(text, "  k0:\n    kind: service\n    replicas: {replicas}\n    cpu: 1");
    let runtime = c.of(&[
        "{thread_pool: {threads: 2}}",
        "{thread_per_request: {max: 4, start: 1ms, close: 1ms}}",
        "{event_loop: {loops: 1}}",
        "{async: {workers: 2}}",
    ]);
    let _ = writeln!(text, "    runtime: {runtime}");
    if c.once_in(2) {
        let _ = writeln!(text, "    admission: {}", queue(c, runtime.contains("thread_p")));
    }
    if c.once_in(2) {
        text.push_str("    start_up: {exp: 500ms}\n    replace_after: 1s\n");
    }
    let mut handler = steps(c, &["l0".to_string()], 0, true);
    handler.push("call: l0".to_string());
    let lines: Vec<String> = handler.into_iter().map(|s| format!("        - {{{s}}}\n")).collect();
    let policies = link(c);
    let _ =
        write!(text, "    handlers:\n      default:\n{}    calls:\n      l0: {{to: d0{policies}}}\n", lines.concat());
    let consuming = consuming(c, style, &own);
    let dead = c.of(&["", ", q1"]);
    let _ = writeln!(text, "    consumes: [{{from: q0{consuming}}}{dead}]");
    style
}

/// The policies allowed on a link that publishes messages: each call publishes one.
fn publishing(policies: &str) -> String {
    let mut policies = policies.to_string();
    for word in [", coalesce: {", ", batch: {"] {
        if let Some(from) = policies.find(word) {
            let end = from + policies[from..].find('}').map_or(0, |at| at + 1);
            policies.replace_range(from..end, "");
        }
    }
    policies
}

fn service(
    c: &mut Choices<'_>,
    text: &mut String,
    nth: usize,
    services: usize,
    databases: usize,
    has_cache: bool,
    publishes: bool,
) {
    let runtime = c.of(&[
        "{thread_pool: {threads: 5}}",
        "{thread_pool: {threads: 1}}",
        "{event_loop: {loops: 1}}",
        "{event_loop: {loops: 2}}",
        "unlimited",
        "{thread_per_request: {max: 8, start: 1ms, close: 1ms}}",
        "{thread_per_request: {start: 1ms}}",
        "{async: {workers: 2}}",
        "{async: {workers: 1, blocking_threads: 1}}",
        "{event_loop: {node: {switch: callback}}}",
        "{event_loop: {poller: {epoll: {}}}}",
        "{thread_pool: {threads: 4, switch: 100us}}",
        "{goroutines: {procs: 2, slice: 2ms, switch: 50us}}",
        "{goroutines: {procs: 1}}",
        "{virtual_threads: {carriers: 2}}",
        "{virtual_threads: {carriers: 2, pinned_by_locks: true}}",
        "{gil_threads: {threads: 6, switch_interval: 1ms}}",
        "{gil_threads: {threads: 6, switch_interval: 3ms, switch: 20us}}",
        "{processes: {workers: 3, fork: 5ms, max_requests: 7, jitter: 3, timeout: 100ms}}",
        "{single: {keep: 200ms, burst: 5, per_10s: 50, account: 8}}",
    ]);
    // Its instances start as calls need them, on machines of their own, and nothing waits for them.
    let is_single = runtime.starts_with("{single");
    let _ = writeln!(text, "  s{nth}:\n    kind: service");
    if !is_single {
        let _ = writeln!(text, "    replicas: {}", 1 + c.below(3));
    }
    match c.below(if is_single { 2 } else { 3 }) {
        0 => text.push_str("    cpu: 1\n"),
        1 => text.push_str("    cpu: 0.5\n"),
        _ => {
            text.push_str("    hosts: box\n");
            text.push_str(c.of(&["", "    cpu: {limit: 0.5}\n", "    cpu: {request: 0.5, limit: 1}\n"]));
        }
    }
    let _ = writeln!(text, "    runtime: {runtime}");
    if !is_single && c.once_in(2) {
        admission(c, text, runtime);
    }
    if c.once_in(3) {
        text.push_str("    start_up: {exp: 500ms}\n    replace_after: 1s\n");
    }
    let targets: Vec<String> =
        (nth + 1..services).map(|s| format!("s{s}")).chain((0..databases).map(|d| format!("d{d}"))).collect();
    let cache = has_cache.then(|| "c0".to_string());
    let targets: Vec<String> = targets.into_iter().chain(["x0".to_string()]).chain(cache).collect();
    let links: Vec<String> = (0..1 + c.below(2)).map(|l| format!("l{l}")).collect();
    let handlers = ["default", "other"].iter().take(1 + c.below(2)).map(|op| {
        let mut steps = steps(c, &links, 0, true);
        // Use every link somewhere.
        for link in &links {
            steps.push(format!("call: {link}"));
        }
        if publishes {
            let at = c.below(steps.len() + 1);
            steps.insert(at, c.of(&["call: lq", "send: lq", "call: {link: lq, on_failure: continue}"]).to_string());
        }
        let lines: Vec<String> = steps.into_iter().map(|s| format!("        - {{{s}}}\n")).collect();
        format!("      {op}:\n{}", lines.concat())
    });
    let handlers: Vec<String> = handlers.collect();
    let mut handlers = handlers.concat();
    if runtime == "unlimited" {
        // With this runtime, a task that never ends would hold nothing.
        handlers = handlers.replace("leak: {probability: 1%}", "wait: 1ms");
    }
    let _ = write!(text, "    handlers:\n{handlers}    calls:\n");
    for link_name in &links {
        let mut policies = policies(c, false);
        let to = if targets.len() > 1 && c.once_in(4) {
            format!("[{{to: {}, weight: 2}}, {{to: {}}}]", targets[0], targets[1])
        } else {
            targets[c.below(targets.len())].clone()
        };
        let knows = lookouts::health_check(c);
        if ["c0", "x0"].iter().any(|other| to.contains(other)) {
            policies = policies.replace(", tied: true", "");
        }
        if link_name == "l0" && links.len() > 1 {
            policies = policies.replace("fallback: degraded", "fallback: {call: l1}");
        }
        let _ = writeln!(text, "      {link_name}: {{to: {to}{policies}{knows}}}");
    }
    if publishes {
        let _ = writeln!(text, "      lq: {{to: q0{}}}", publishing(&link(c)));
    }
    memory::perhaps(c, text, nth);
    if !is_single {
        staffing(c, text);
    }
}

/// How its replicas go, and who decides how many there are.
fn staffing(c: &mut Choices<'_>, text: &mut String) {
    text.push_str(c.of(&[
        "",
        "",
        "    shutdown: {pre_stop: 300ms, grace: 2s}\n",
        "    shutdown: {grace: 500ms, on_term: exit}\n",
        "    shutdown: {grace: 1s, on_term: keep_accepting}\n",
    ]));
    text.push_str(c.of(&[
        "",
        "",
        "    probes: {readiness: {op: default, period: 700ms, timeout: 50ms, failures: 2}}\n",
        "    probes: {liveness: {op: default, period: 1s, timeout: 30ms, failures: 1}}\n",
        "    probes: {startup: {op: default, period: 300ms, timeout: 40ms, failures: 2}, liveness: {period: 500ms, timeout: 100ms, failures: 2}}\n",
    ]));
    text.push_str(c.of(&[
        "",
        "",
        "",
        "    autoscale: {max: 5, hpa: {metrics: [{per_replica: in_flight, target: 2}], sync: 1s, metric_delay: 500ms, behavior: {scale_down: {stabilization: 2s}}}}\n",
        "    autoscale: {max: 4, hpa: {metrics: [{per_replica: arrivals, target: 20/s}, {per_replica: completed, target: 10/s}], sync: 2s, metric_delay: 0s}}\n",
        "    autoscale: {max: 4, schedule: [{at: 3s, replicas: 4}, {at: 7s, replicas: 1}, {at: 9s, replicas: 3}]}\n",
    ]));
}

/// Steps, each as the inside of a flow map.
fn steps(c: &mut Choices<'_>, links: &[String], depth: usize, may_reply: bool) -> Vec<String> {
    let count = c.below(4);
    (0..count).map(|_| step(c, links, depth, may_reply)).collect()
}

fn list(steps: Vec<String>) -> String {
    let steps: Vec<String> = steps.into_iter().map(|s| format!("{{{s}}}")).collect();
    format!("[{}]", steps.join(", "))
}

fn step(c: &mut Choices<'_>, links: &[String], depth: usize, may_reply: bool) -> String {
    let kinds = if depth < 2 { 14 } else { 8 };
    match c.below(kinds) {
        0 => format!("wait: {}", c.of(&SHORT)),
        1 => format!("cpu: {}", c.of(&SHORT)),
        2 => format!("block: {}", c.of(&SHORT)),
        3 | 4 => {
            let link = &links[c.below(links.len())];
            let failure = match c.below(4) {
                0 => String::new(),
                1 => ", on_failure: continue".into(),
                2 => format!(", on_failure: {{reply: {}}}", c.of(&OUTCOMES)),
                _ if depth < 2 => format!(", on_failure: {}", list(steps(c, links, depth + 1, may_reply))),
                _ => String::new(),
            };
            format!("call: {{link: {link}, op: {}{failure}}}", c.of(&["default", "other"]))
        }
        5 => format!("send: {}", links[c.below(links.len())]),
        6 => format!("fail: {{probability: {}, outcome: {}}}", c.of(&["10%", "50%"]), c.of(&OUTCOMES)),
        7 => match c.below(3) {
            0 if may_reply => "reply: accepted".into(),
            1 if may_reply => "leak: {probability: 1%}".into(),
            _ => "wait: 1ms".into(),
        },
        8 | 9 => {
            let branches: Vec<String> = (0..1 + c.below(3)).map(|_| list(steps(c, links, depth + 1, false))).collect();
            let need = c.of(&["all", "any", "1"]);
            format!("parallel: {{branches: [{}], need: {need}{}}}", branches.join(", "), task_cost(c))
        }
        10 => {
            let (items, per_task) = (c.of(&["4", "{poisson: 3}"]), c.of(&[1, 3]));
            let each = list(steps(c, links, depth + 1, false));
            format!("split: {{items: {items}, per_task: {per_task}, each: {each}{}}}", task_cost(c))
        }
        11 => {
            let times = c.of(&["2", "{geometric: 2}"]);
            format!("repeat: {{times: {times}, steps: {}}}", list(steps(c, links, depth + 1, may_reply)))
        }
        12 => {
            let one = list(steps(c, links, depth + 1, may_reply));
            let other = list(steps(c, links, depth + 1, may_reply));
            format!("choose: [{{weight: 2, steps: {one}}}, {{steps: {other}}}]")
        }
        _ => {
            // Locks have a name for each depth and are taken in that order, so that no task waits for itself.
            let inside = list(steps(c, links, depth + 1, may_reply));
            format!(
                "lock: {{name: lock{depth}, {}, steps: {inside}}}",
                c.of(&["priority: false", "priority: true", "inherit: true"])
            )
        }
    }
}

fn task_cost(c: &mut Choices<'_>) -> String {
    if !c.once_in(3) {
        return String::new();
    }
    let model = c.of(&["serial_upfront", "staggered"]);
    let on = c.of(&["elapsed", "cpu"]);
    format!(", task_cost: 2ms, cost_model: {model}, cost_on: {on}")
}

fn database(c: &mut Choices<'_>, text: &mut String, nth: usize) {
    let connections = c.of(&[10, 1, 3]);
    let io =
        c.of(&["{io: 5ms}", "{exp: 10ms}", "{io: {exp: 2ms}, cpu: {exp: 2ms}, per_item: 1ms}", "{cpu: 3ms}", "0s"]);
    let _ = writeln!(text, "  d{nth}:\n    kind: database\n    connections: {connections}");
    if io.contains("cpu") {
        text.push_str("    cores: 2\n");
    }
    if c.once_in(3) {
        text.push_str("    contention: {alpha: 0.1, beta: 0.01}\n");
    }
    if c.once_in(3) {
        text.push_str("    statement_timeout: 8ms\n");
    }
    if c.once_in(3) {
        let _ = writeln!(text, "    admission: {}", queue(c, false));
    }
    let _ = writeln!(text, "    operations: {{default: {io}}}");
    if c.once_in(4) {
        copies(c, text);
    } else if c.once_in(8) {
        text.push_str("    partitions: {count: 3, salt: 2}\n");
    }
}

/// Copies of a database's data, or of each part of it.
fn copies(c: &mut Choices<'_>, text: &mut String) {
    let follows = c.of(&["lag: {exp: 50ms}", "apply: {exp: 2ms}", "lag: 0s"]);
    let (mode, more) = c.of(&[
        ("async", "read_from: replica"),
        ("async", "read_from: leader"),
        ("semi_sync", "read_from: replica\n    consistency: causal"),
        ("sync", "consistency: strong"),
        ("{quorum: {write: 2, read: 2}}", "read_from: quorum\n    consistency: strong"),
        ("async", "read_from: replica\n    consistency: {read_your_writes: {window: 1s}}\n    partitions: 2"),
    ]);
    let _ = writeln!(
        text,
        "    write_ops: [default]\n    replication: {{replicas: 2, {follows}, mode: {mode}}}\n    {more}"
    );
    if c.once_in(2) {
        text.push_str("    failover: {detect: 500ms, elect: 200ms}\n");
    }
}

/// Actions of operators, helpful or harmful.
fn events(c: &mut Choices<'_>, text: &mut String, has_queue: bool) {
    let count = c.below(6).saturating_sub(3);
    if count > 0 {
        text.push_str("events:\n");
    }
    for nth in 0..count {
        let at = c.of(&["4s", "8s", "12s", "15500ms"]);
        if has_queue && c.once_in(2) {
            let what = c.of(&[
                "redrive: {from: q1, to: q0}",
                "redrive: {from: q1, to: q0, rate: 5/s}",
                "discard: q0",
                "discard: q1",
            ]);
            let _ = writeln!(text, "  - {{name: op-{nth}, at: {at}, {what}}}");
            continue;
        }
        let lasts = c.of(&["", "for: 3s, ", "for: 1s, every: 2s, times: 3, "]);
        // Replicas of what is started for calls do not come and go.
        if c.once_in(2) && text.contains("  s0:\n    kind: service\n    replicas:") {
            let what = c.of(&[
                "deploy: {component: s0}",
                "deploy: {component: s0, rolling: {max_surge: 0, max_unavailable: 25%}}",
                "deploy: {component: s0, rolling: {max_surge: 2, max_unavailable: 0, min_ready: 300ms}}",
                "scale: {component: s0, replicas: 1}",
                "scale: {component: s0, replicas: 4}",
            ]);
            let lasts = if what.starts_with("scale") { lasts } else { "" };
            let _ = writeln!(text, "  - {{name: op-{nth}, at: {at}, {lasts}{what}}}");
            continue;
        }
        let change = c.of(&[
            "components.d0.connections: 20",
            "components.d0.connections: 2",
            "workloads.w0.call.timeout: 50ms",
            "components.x0.concurrency: 2",
        ]);
        let _ = writeln!(text, "  - {{name: op-{nth}, at: {at}, {lasts}set: {{{change}}}}}");
    }
}

fn faults(
    c: &mut Choices<'_>,
    text: &mut String,
    services: usize,
    open: &[bool],
    front: &str,
    has_cache: bool,
    style: Option<&str>,
) {
    let has_queue = style.is_some();
    let count = c.below(5);
    if count == 0 {
        return;
    }
    text.push_str("faults:\n");
    for _ in 0..count {
        let at = c.of(&["2s", "3500ms", "5s", "9700ms", "12s", "0s"]);
        let lasts = c.of(&["3s", "500ms", "10s", "20ms", ""]);
        let who = match c.below(7) {
            5 if has_queue => "q0".to_string(),
            6 if has_queue => "k0".to_string(),
            0 => format!("s{}", c.below(services)),
            1 => entry(front).to_string(),
            2 if has_cache => "c0".to_string(),
            3 => "x0".to_string(),
            _ => "d0".to_string(),
        };
        let service = format!("s{}", c.below(services));
        let one = c.of(&["", ", replica: 0"]);
        let (lasts, what) = match c.below(17) {
            0 => (lasts, format!("slow: {{component: {who}, factor: {}}}", c.of(&["5", "0.5", "50"]))),
            1 => (lasts, format!("slow: {{component: {who}, add: 30ms{one}}}")),
            2 => (
                lasts,
                format!(
                    "errors: {{component: {who}, fraction: {}, outcome: {}}}",
                    c.of(&["50%", "100%"]),
                    c.of(&OUTCOMES)
                ),
            ),
            3 | 4 => (lasts, format!("kill: {{component: {who}{one}}}")),
            5 => ("", format!("restart: {{component: {service}{one}}}")),
            6 if has_queue => (lasts, "partition: [k0, q0]".to_string()),
            6 => (lasts, format!("partition: [w0, {}]", entry(front))),
            7 => (lasts, format!("network: {{link: {service}.l0, add: 20ms, loss: {}}}", c.of(&["0%", "20%"]))),
            8 | 9 => (lasts, format!("pause: {{component: {who}{one}}}")),
            10 if open[0] => (lasts, format!("surge: {{workload: w0, x: {}}}", c.of(&["3", "0.2"]))),
            11 => {
                let change = c.of(&[
                    "components.d0.connections: 2",
                    "components.d0.connections: 20",
                    "workloads.w0.call.timeout: 10ms",
                    "components.d0.admission.queue.max: 1",
                    if has_cache { "components.c0.capacity: 2" } else { "components.d0.connections: 5" },
                    "components.x0.concurrency: 1",
                    match style {
                        None => "components.x0.concurrency: 2",
                        Some("plain") => "components.q0.capacity: 2",
                        Some("rabbitmq") => "components.q0.delivery_limit: 1",
                        Some(_) => "components.q0.visibility_timeout: 20ms",
                    },
                ]);
                (lasts, format!("set: {{{change}}}"))
            }
            12 if has_cache => ("", "flush: c0".to_string()),
            13 => (lasts, format!("cpu_steal: {{from: box, share: {}}}", c.of(&["50%", "90%"]))),
            15 => ("", format!("kill: {{component: {service}, replicas: 1}}")),
            14 if has_queue => {
                (lasts, format!("network: {{link: k0.consumes.q0, add: 20ms, loss: {}}}", c.of(&["0%", "20%"])))
            }
            14 => (lasts, format!("network: {{link: w0.call, add: 20ms, loss: {}}}", c.of(&["0%", "20%"]))),
            _ => (lasts, "host_down: {hosts: box, host: 0}".to_string()),
        };
        let lasts = if lasts.is_empty() { String::new() } else { format!("for: {lasts}, ") };
        let _ = writeln!(text, "  - {{at: {at}, {lasts}{what}}}");
    }
}
