//! The cost of each mechanism: the same scenario without it and with it, in turns.
//!
//! `cargo bench -p cli --bench works -- mechanisms [WORD [REPETITIONS]]` prints a row for each policy, budget, runtime, queue
//! discipline, kind of admission, balancing algorithm, queue style, eviction and garbage collector of the language, and fails where one
//! of them has no row.

use std::collections::BTreeSet;
use std::sync::Arc;

use lab::{Options, Session, Text};
use settings::Shape;
use settings::book::{Body, Content};

use crate::{median, processor_time_ns, three_digits};

/// A scenario to which mechanisms are added.
struct Base {
    name: &'static str,
    says: &'static str,
    text: &'static str,
}

/// One mechanism: what it is in the language, and the overrides that add it to a base.
struct Row {
    base: &'static Base,
    group: &'static str,
    word: &'static str,
    /// Which form of it.
    form: &'static str,
    changes: &'static [&'static str],
}

/// Requests in a run, about.
const REQUESTS: f64 = 200_000.0;

static LINK: Base = Base {
    name: "link",
    says: "a service of 64 threads that calls a database, at 60 % of what its connections serve",
    text: "version: 1
run: {duration: 100s, window: 10s}
workloads:
  users: {arrivals: {poisson: 2k/s}, requests: [{op: read, key: {uniform: {keys: 1k}}}], call: api}
components:
  api:
    kind: service
    runtime: {thread_pool: {threads: 64}}
    calls: {db: db}
    handlers: {default: [{call: db}]}
  db: {kind: database, connections: 17, operations: {default: {io: {exp: 5ms}}}}
",
};

static RUNTIME: Base = Base {
    name: "runtime",
    says: "a service of four cores that computes 0.5 ms, waits 5 ms and computes 0.5 ms, at half of what the cores serve",
    text: "version: 1
run: {duration: 100s, window: 10s}
workloads:
  users: {arrivals: {poisson: 2k/s}, call: api}
components:
  api:
    kind: service
    cpu: 4
    runtime: unlimited
    handlers: {default: [{cpu: 500us}, {wait: 5ms}, {cpu: 500us}]}
",
};

static LINE: Base = Base {
    name: "line",
    says: "a queue for the workers that is never empty for long: 90 % of what the workers serve",
    text: "version: 1
run: {duration: 100s, window: 10s}
workloads:
  users: {arrivals: {poisson: 2k/s}, requests: [{op: a, priority: 1}, {op: b, priority: 2}], call: api}
components:
  api:
    kind: service
    runtime: {thread_pool: {threads: 8}}
    admission: {queue: {max: 1k, discipline: fifo}}
    handlers: {default: [{wait: {exp: 3600us}}]}
",
};

static BALANCER: Base = Base {
    name: "balancer",
    says: "a balancer before ten replicas",
    text: "version: 1
run: {duration: 100s, window: 10s}
workloads:
  users: {arrivals: {poisson: 2k/s}, call: edge}
components:
  edge: {kind: load_balancer, to: api, algorithm: round_robin}
  api:
    kind: service
    replicas: 10
    runtime: {thread_pool: {threads: 2}}
    handlers: {default: [{wait: {exp: 5ms}}]}
",
};

static CACHE: Base = Base {
    name: "cache",
    says: "a cache of a tenth of the keys, which hits half of the reads, before a database",
    text: "version: 1
run: {duration: 100s, window: 10s}
workloads:
  users: {arrivals: {poisson: 2k/s}, requests: [{key: {zipf: {keys: 100k, s: 0.9}}}], call: cache}
components:
  cache: {kind: cache, to: db, capacity: 10k, eviction: lru, latency: 500us}
  db: {kind: database, connections: 100, operations: {default: {io: {exp: 5ms}}}}
",
};

static HEAP: Base = Base {
    name: "heap",
    says: "a service that allocates 100 KB in each request, without anything that collects it",
    text: "version: 1
run: {duration: 100s, window: 10s}
workloads:
  users: {arrivals: {poisson: 2k/s}, call: api}
components:
  api:
    kind: service
    cpu: 4
    memory: {limit: 4GiB, base: 100MiB}
    runtime: {thread_pool: {threads: 64}}
    handlers: {default: [{allocate: 100KB}, {cpu: 500us}, {wait: 5ms}]}
",
};

/// The same work done by a call, to compare a message with.
static MESSAGE: Base = Base {
    name: "message",
    says: "a call that is served at once, against a message that is published, received, processed and acknowledged",
    text: "version: 1
run: {duration: 100s, window: 10s}
workloads:
  users: {arrivals: {poisson: 2k/s}, requests: [{key: {uniform: {keys: 1k}}}], call: {to: worker, network: {rtt: 1ms}}}
components:
  worker: {kind: service, runtime: {thread_pool: {threads: 64}}, handlers: {default: [{wait: 5ms}]}}
",
};

macro_rules! rows {
    ($($base:ident $group:literal: $($word:literal $($form:literal)? $(=> $($change:literal),+)?;)+)*) => {
        /// Every mechanism with what adds it.
        static ROWS: &[Row] = &[$($(Row {
            base: &$base,
            group: $group,
            word: $word,
            form: concat!($($form)?),
            changes: &[$($($change),+)?],
        }),+),*];
    };
}

rows! {
    LINK "link settings":
        "network" => "components.api.calls.db.network={rtt: 1ms}";
        "network" "with loss" => "components.api.calls.db.network={rtt: 1ms, loss: 1%}";
        "timeout" => "components.api.calls.db.timeout=200ms";
        "total_timeout" => "components.api.calls.db.total_timeout=200ms";
        "retry" => "components.api.calls.db.retry={max_attempts: 3}", "components.api.calls.db.timeout=200ms";
        "propagate" => "components.api.calls.db.propagate=[deadline, cancel]", "components.api.calls.db.timeout=200ms";
        "pool" => "components.api.calls.db.pool={size: 17}";
        "coalesce" => "components.api.calls.db.coalesce={by: key}";
        "batch" => "components.api.calls.db.batch={max: 10, wait: 1ms}";
        "hedge" => "components.api.calls.db.hedge={delay: 20ms}";
        "hedge" "percentile" => "components.api.calls.db.hedge={delay: p95}";
        "hedge" "tied" => "components.api.calls.db.hedge={delay: 20ms, tied: true}";
        "fallback" => "components.api.calls.db.fallback=degraded", "components.api.calls.db.timeout=200ms";
        "breaker" "consecutive" => "components.api.calls.db.breaker={consecutive: 5}";
        "breaker" "count_window" => "components.api.calls.db.breaker={count_window: {size: 100}}";
        "breaker" "time_window" => "components.api.calls.db.breaker={time_window: {length: 10s}}";
        "rate_limit" "token_bucket" => "components.api.calls.db.rate_limit={token_bucket: {rate: 4k/s, burst: 100}}";
        "rate_limit" "leaky_bucket" => "components.api.calls.db.rate_limit={leaky_bucket: {rate: 4k/s, queue: 100}}";
        "rate_limit" "fixed_window" => "components.api.calls.db.rate_limit={fixed_window: {limit: 4k, window: 1s}}";
        "rate_limit" "sliding_log" => "components.api.calls.db.rate_limit={sliding_log: {limit: 4k, window: 1s}}";
        "rate_limit" "sliding_counter" => "components.api.calls.db.rate_limit={sliding_counter: {limit: 4k, window: 1s}}";
        "rate_limit" "by key" => "components.api.calls.db.rate_limit={token_bucket: {rate: 20/s, burst: 20}, by: key}";
        "throttle" => "components.api.calls.db.throttle={}";
        "concurrency" "fixed" => "components.api.calls.db.concurrency={fixed: 100}";
        "health_check" "instant" => "components.api.calls.db.health_check=instant";
        "health_check" "haproxy" => "components.api.calls.db.health_check=haproxy";
        "concurrency" "aimd" => "components.api.calls.db.concurrency={aimd: {initial: 100}}";
        "concurrency" "vegas" => "components.api.calls.db.concurrency={vegas: {initial: 100}, window: {}}";
        "concurrency" "gradient" => "components.api.calls.db.concurrency={gradient: {initial: 100}, window: {}}";
        "concurrency" "gradient2" => "components.api.calls.db.concurrency={gradient2: {initial: 100}, window: {}}";
        "concurrency" "envoy_gradient" => "components.api.calls.db.concurrency=envoy_gradient";
        "concurrency" "envoy_thresholds" => "components.api.calls.db.concurrency=envoy_thresholds";
    LINK "retry budgets":
        "ratio" => "components.api.calls.db.retry={max_attempts: 3, budget: {ratio: 20%}}", "components.api.calls.db.timeout=200ms";
        "concurrent" => "components.api.calls.db.retry={max_attempts: 3, budget: concurrent}", "components.api.calls.db.timeout=200ms";
        "tokens" => "components.api.calls.db.retry={max_attempts: 3, budget: tokens}", "components.api.calls.db.timeout=200ms";
        "aws_standard" => "components.api.calls.db.retry={max_attempts: 3, budget: aws_standard}", "components.api.calls.db.timeout=200ms";
        "aws_adaptive" => "components.api.calls.db.retry={max_attempts: 3, budget: aws_adaptive}", "components.api.calls.db.timeout=200ms";
    RUNTIME "runtimes":
        "unlimited";
        "thread_per_request" => "components.api.runtime=thread_per_request";
        "thread_pool" => "components.api.runtime={thread_pool: {threads: 64}}";
        "event_loop" => "components.api.runtime={event_loop: {loops: 4}}";
        "event_loop" "node" => "components.api.runtime=node", "workloads.users.arrivals={poisson: 500/s}";
        "async" => "components.api.runtime={async: {workers: 4}}";
        "goroutines" => "components.api.runtime=goroutines";
        "virtual_threads" => "components.api.runtime=virtual_threads";
        "gil_threads" => "components.api.runtime={gil_threads: {threads: 64}}", "workloads.users.arrivals={poisson: 500/s}";
        "processes" => "components.api.runtime={processes: {workers: 32}}";
        "single" => "components.api.runtime=single";
    LINE "disciplines":
        "fifo";
        "lifo" => "components.api.admission.queue.discipline=lifo";
        "adaptive_lifo" => "components.api.admission.queue.discipline=adaptive_lifo";
        "codel" => "components.api.admission.queue.discipline=codel";
        "priority" => "components.api.admission.queue.discipline=priority";
        "priority" "preempt" => "components.api.admission.queue.discipline={priority: {preempt: true}}";
    LINE "admission":
        "queue" "max_age" => "components.api.admission.queue.max_age=1s";
        "queue" "min_remaining" => "components.api.admission.queue.min_remaining=5ms",
            "workloads.users.call={to: api, timeout: 1s, propagate: [deadline]}";
        "rate_limit" => "components.api.admission.rate_limit={token_bucket: {rate: 4k/s, burst: 100}}";
        "concurrency" "fixed" => "components.api.admission.concurrency={fixed: 100}";
        "concurrency" "gradient2" => "components.api.admission.concurrency={gradient2: {initial: 100}, window: {}}";
        "shed" "priority" => "components.api.admission.shed={priority: {}}";
        "shed" "dagor" => "components.api.admission.shed=dagor";
    BALANCER "algorithms":
        "round_robin";
        "weighted_round_robin" => "components.edge.algorithm=weighted_round_robin";
        "random" => "components.edge.algorithm=random";
        "least_connections" => "components.edge.algorithm=least_connections";
        "power_of_two" => "components.edge.algorithm=power_of_two";
        "peak_ewma" => "components.edge.algorithm=peak_ewma";
        "ring_hash" => "components.edge.algorithm=ring_hash", "workloads.users.requests=[{key: {uniform: {keys: 10k}}}]";
        "maglev" => "components.edge.algorithm=maglev", "workloads.users.requests=[{key: {uniform: {keys: 10k}}}]";
        "locality" => "components.edge.algorithm=locality";
    BALANCER "how balancers find out":
        "health_check" "haproxy" => "components.edge.health_check=haproxy";
        "outlier_ejection" => "components.edge.outlier_ejection=envoy";
    CACHE "evictions":
        "lru";
        "lfu" => "components.cache.eviction=lfu";
        "perfect_lfu" => "components.cache.eviction=perfect_lfu";
        "fifo" => "components.cache.eviction=fifo";
        "random" => "components.cache.eviction=random";
        "clock" => "components.cache.eviction=clock";
        "sieve" => "components.cache.eviction=sieve";
        "s3_fifo" => "components.cache.eviction=s3_fifo";
        "tiny_lfu" => "components.cache.eviction=tiny_lfu";
        "static" => "components.cache.eviction=static";
    HEAP "collectors":
        "g1" => "components.api.gc=g1";
        "go" => "components.api.gc=go";
        "v8" => "components.api.gc=v8";
    MESSAGE "queue styles":
        "plain" => "workloads.users.call={to: jobs, network: {rtt: 1ms}}",
            "components.jobs={kind: queue}", "components.worker.consumes=[{from: jobs, network: {rtt: 1ms}}]";
        "sqs" => "workloads.users.call={to: jobs, network: {rtt: 1ms}}",
            "components.jobs={kind: queue, style: sqs}", "components.worker.consumes=[{from: jobs, network: {rtt: 1ms}}]";
        "sqs_fifo" => "workloads.users.call={to: jobs, network: {rtt: 1ms}}",
            "components.jobs={kind: queue, style: sqs_fifo, rate: none}",
            "components.worker.consumes=[{from: jobs, network: {rtt: 1ms}}]";
        "rabbitmq" => "workloads.users.call={to: jobs, network: {rtt: 1ms}}",
            "components.jobs={kind: queue, style: rabbitmq}", "components.worker.consumes=[{from: jobs, network: {rtt: 1ms}}]";
}

/// Prints the table of the rows with a word in them; whether every mechanism of the language has a row.
pub(super) fn print(only: Option<&str>, repetitions: usize) -> bool {
    let mut base: Option<&Base> = None;
    for row in ROWS.iter().filter(|row| only.is_none_or(|word| [row.group, row.word].contains(&word))) {
        if base.is_none_or(|base| base.name != row.base.name) {
            base = Some(row.base);
            println!("\n{}: {}", row.base.name, row.base.says);
            println!("  {:44} {:>12} {:>12} {:>8}", "", "ns a request", "more, ns", "ratio");
        }
        let pairs: Vec<(f64, f64)> =
            (0..repetitions).map(|_| (cost(row.base, &[]), cost(row.base, row.changes))).collect();
        let name = [row.group, row.word, row.form].join(" ");
        println!(
            "  {:44} {:>12} {:>12} {:>8}",
            name.trim_end(),
            three_digits(median(pairs.iter().map(|(_, with)| *with))),
            format!("{:.0}", median(pairs.iter().map(|(without, with)| with - without))),
            three_digits(median(pairs.iter().map(|(without, with)| with / without))),
        );
    }
    let missing = missing();
    if !missing.is_empty() {
        println!("\nwithout a row: {}", missing.join(", "));
    }
    missing.is_empty()
}

/// CPU time of a request, ns, from the scenario's text to JSON.
fn cost(base: &Base, changes: &[&str]) -> f64 {
    let began = processor_time_ns();
    let text = Text { name: format!("{}.yaml", base.name), bytes: base.text.as_bytes().to_vec(), folder: None };
    let options =
        Options { overrides: changes.iter().map(|change| change.to_string()).collect(), ..Options::default() };
    let loaded = match lab::load(&text, &options) {
        Ok(loaded) => loaded,
        Err(refused) => panic!("{changes:?}: {:?}", refused.problems),
    };
    let seed = loaded.scenario.seed;
    let mut session = Session::new(Arc::new(loaded), seed, None);
    session.run_to_end().expect("it ends");
    let result = session.result();
    let json = report::json::to_json(&result);
    let took = processor_time_ns() - began;
    assert!(json.len() > 100);
    let requests = result.workloads[0].completed as f64;
    assert!(requests > REQUESTS / 5.0, "{changes:?}: only {requests} requests");
    took / requests
}

/// The mechanisms of the language that have no row, those apart that this version refuses.
fn missing() -> Vec<String> {
    const CHOICES: [(&str, &str); 7] = [
        ("runtimes", "RuntimeSettings"),
        ("disciplines", "DisciplineSettings"),
        ("retry budgets", "BudgetSettings"),
        ("algorithms", "AlgorithmSettings"),
        ("queue styles", "StyleSettings"),
        ("evictions", "EvictionSettings"),
        ("collectors", "GcPreset"),
    ];
    let rows: BTreeSet<(&str, &str)> = ROWS.iter().map(|row| (row.group, row.word)).collect();
    let (book, _) = language::reference::book();
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for (group, kind) in CHOICES {
        let found = book.definitions().find(|definition| definition.name.rsplit("::").next() == Some(kind));
        let Some(Body::Choice(choice)) = found.map(|definition| &definition.body) else {
            panic!("the language has no {kind}");
        };
        wanted.extend(
            choice
                .variants
                .iter()
                .filter(|variant| variant.content != Content::Value(Shape::NotYet))
                .map(|v| (group, v.word)),
        );
    }
    let admission = book.definitions().find(|definition| definition.name.ends_with("AdmissionSettings"));
    let Some(Body::Fields(admission)) = admission.map(|definition| &definition.body) else {
        panic!("the language has no AdmissionSettings");
    };
    let supported = admission.fields.iter().filter(|field| field.shape != Shape::NotYet);
    wanted.extend(supported.map(|field| ("admission", field.key)));
    let of_links = language::reference::topics().into_iter().filter(|t| t.group == "link settings" && !t.is_not_yet());
    // Where a link goes, and what it takes over from `policies`, are no mechanisms.
    wanted
        .extend(of_links.map(|topic| ("link settings", topic.name)).filter(|(_, name)| !["to", "use"].contains(name)));
    wanted.iter().filter(|row| !rows.contains(row)).map(|(group, word)| format!("{group} {word}")).collect()
}
