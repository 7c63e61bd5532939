//! Several copies of an attempt at once: when they are sent, which of them counts, and what becomes of the others.

use crate::kinds::run;

/// One call at 0 s over a link with these policies, to services that answer as `bad` and `good` say, one after the other.
fn one_call(policies: &str, bad: &str, good: &str) -> String {
    format!(
        "version: 1
run: {{until: idle}}
workloads:
  w: {{arrivals: {{once: {{count: 1}}}}, call: lb}}
components:
  lb: {{kind: load_balancer, algorithm: round_robin, to: {{to: [bad, good], {policies}}}}}
  bad: {{kind: service, runtime: unlimited, handlers: {{default: [{bad}]}}}}
  good: {{kind: service, runtime: unlimited, handlers: {{default: [{good}]}}}}
"
    )
}

/// Latency of the one request, ms, and whether it was answered well.
fn answered(yaml: &str) -> (f64, bool) {
    let result = run(yaml);
    let w = &result.workloads["w"];
    let ms = |latency: &lab::result::Latency| latency.max_s.map(|s| (s * 1e6).round() / 1e3);
    match ms(&w.latency) {
        Some(latency) => (latency, true),
        None => (ms(&w.latency_failed).expect("it has ended"), false),
    }
}

#[test]
fn the_first_good_answer_of_two_copies_counts() {
    let hedged = |bad, good| answered(&one_call("hedge: {delay: 10ms}", bad, good));
    // The second is sent after 10 ms.
    assert_eq!(hedged("{wait: 500ms}", "{wait: 30ms}"), (40.0, true));
    // The first is answered before that, or before the second.
    assert_eq!(hedged("{wait: 9ms}", "{wait: 30ms}"), (9.0, true));
    assert_eq!(hedged("{wait: 35ms}", "{wait: 30ms}"), (35.0, true));
}

#[test]
fn an_attempt_has_failed_when_all_its_copies_have() {
    let hedged = |policies, bad, good| answered(&one_call(policies, bad, good));
    let fails = "{wait: 20ms}, {fail: {}}";
    assert_eq!(hedged("hedge: {delay: 10ms}", fails, "{wait: 30ms}"), (40.0, true));
    // The last failure ends it, 10 + 20 ms after the first copy was sent.
    assert!(!hedged("hedge: {delay: 10ms}", "{wait: 5s}, {fail: {}}", fails).1);
    assert_eq!(hedged("hedge: {delay: 10ms}", fails, fails), (30.0, false));
    // A failure before the next copy is due is a matter for retries alone, and the retry begins with one copy.
    let retried = "hedge: {delay: 25ms}, retry: {max_attempts: 2}";
    assert_eq!(hedged(retried, fails, "{wait: 30ms}"), (50.0, true));
}

#[test]
fn each_copy_has_a_timeout_of_its_own() {
    let policies = "hedge: {delay: 20ms}, timeout: 50ms";
    assert_eq!(answered(&one_call(policies, "{wait: 1s}", "{wait: 1s}")), (70.0, false));
    assert_eq!(answered(&one_call(policies, "{wait: 1s}", "{wait: 49ms}")), (69.0, true));
    // The total bounds them all.
    let bounded = "hedge: {delay: 20ms}, timeout: 50ms, total_timeout: 60ms";
    assert_eq!(answered(&one_call(bounded, "{wait: 1s}", "{wait: 1s}")), (60.0, false));
}

#[test]
fn copies_are_sent_one_after_the_other_up_to_their_number() {
    let result = run(&one_call("hedge: {delay: 10ms, max: 3}", "{wait: 1s}", "{wait: 1s}"));
    let link = &result.links["lb"]["to"];
    assert_eq!((link.attempts, link.hedges, link.retries), (4, 3, 0));
    let arrivals = |name: &str| result.components[name].arrivals;
    assert_eq!((arrivals("bad"), arrivals("good")), (2, 2));
    // One is answered ok, the others are given up at that instant: each attempt has an outcome.
    assert_eq!((link.outcomes["ok"], link.outcomes["cancelled"]), (1, 3));
}

#[test]
fn copies_that_lost_stop_where_giving_up_is_propagated() {
    let busy = |policies: &str| {
        let yaml = one_call(policies, "{wait: 500ms}", "{wait: 30ms}").replace(
            "bad: {kind: service, runtime: unlimited",
            "bad: {kind: service, runtime: {thread_pool: {threads: 1}}",
        );
        let result = run(&yaml);
        (result.run.duration_s * 1e3).round()
    };
    // The copy that lost holds its thread to the end, or until it is told.
    assert_eq!(busy("hedge: {delay: 10ms}"), 500.0);
    assert_eq!(busy("hedge: {delay: 10ms}, propagate: [cancel]"), 40.0);
}

#[test]
fn a_copy_takes_a_connection_of_its_own_and_the_one_that_lost_closes_it() {
    let result = run(&one_call("hedge: {delay: 10ms}, pool: {size: 2, connect: 5ms}", "{wait: 500ms}", "{wait: 30ms}"));
    assert_eq!(result.links["lb"]["to"].attempts, 2);
    // A balancer has connections to each replica, so that the copy need not wait for that of the first.
    let one = "hedge: {delay: 10ms}, pool: {size: 1}";
    assert_eq!(answered(&one_call(one, "{wait: 50ms}", "{wait: 30ms}")), (40.0, true));
    let result = run(&one_call(one, "{wait: 50ms}", "{wait: 30ms}"));
    assert_eq!(result.links["lb"]["to"].attempts, 2);
}

#[test]
fn a_budget_is_asked_for_copies_too() {
    let text = "version: 1
run: {duration: 100s}
workloads:
  w:
    arrivals: {constant: 100/s}
    call: {to: x, hedge: {delay: 10ms}, retry: {max_attempts: 1, budget: {ratio: {ratio: 10%, min: 0/s}}}}
components:
  x: {kind: external, latency: 50ms}
";
    let result = run(text);
    let link = &result.links["w"]["call"];
    // Every call wants a copy; one in ten may have it.
    assert!(link.calls - (link.hedges + link.retries_refused) <= 1, "the last call may end after the run");
    assert!((990..=1000).contains(&link.hedges), "{}", link.hedges);
}

/// With independent copies P(T > t) = S(t)·S(t − d), and the share S(d) of the calls is sent twice (Dean and Barroso,
/// *The Tail at Scale*). Over 20 seeds of 20,000 calls each, a share of p has a standard deviation of
/// √(p(1−p)/400,000); five of them are missed once in two million.
#[test]
fn the_tail_is_that_of_two_copies() {
    let (mean, delay) = (10.0_f64, 20.0_f64);
    let slower = |t: f64| (-t / mean).exp() * if t > delay { (-(t - delay) / mean).exp() } else { 1.0 };
    let (mut calls, mut hedges, mut late) = (0, 0, 0);
    for seed in 0..20 {
        let text = format!(
            "version: 1
seed: {seed}
run: {{until: idle}}
workloads:
  w:
    arrivals: {{once: {{count: 20000}}}}
    deadline: 30ms
    call: {{to: x, hedge: {{delay: {delay}ms}}}}
components:
  x: {{kind: external, latency: {{exp: {mean}ms}}}}
"
        );
        let result = run(&text);
        let w = &result.workloads["w"];
        calls += w.sent;
        hedges += result.links["w"]["call"].hedges;
        late += w.sent - (w.goodput * result.run.duration_s).round() as u64;
    }
    let holds = |count: u64, expected: f64, what: &str| {
        let share = count as f64 / calls as f64;
        let five = 5.0 * (expected * (1.0 - expected) / calls as f64).sqrt();
        assert!((share - expected).abs() < five, "{what}: {share} for {expected} ± {five}");
    };
    holds(hedges, (-delay / mean).exp(), "sent twice");
    holds(late, slower(30.0), "slower than 30 ms");
}

/// What a retry draws – its target, its back-off – is the same whether copies of the first attempt were sent or not: with
/// copies after 10 ms each of two attempts fails 10 ms later, and every call takes exactly 20 ms longer.
#[test]
fn a_retry_draws_the_same_whether_a_copy_was_sent_or_not() {
    let latencies = |hedge: &str| {
        let text = format!(
            "version: 1
run: {{until: idle}}
workloads:
  w:
    arrivals: {{once: {{count: 500}}}}
    call:
      to: [{{to: a, weight: 2}}, {{to: b}}]
      retry: {{max_attempts: 3, backoff: {{exponential: {{base: 40ms}}, jitter: full}}}}
      {hedge}
components:
  a: {{kind: external, latency: 30ms, errors: 100%}}
  b: {{kind: external, latency: 30ms, errors: 100%}}
"
        );
        let result = run(&text);
        let failed = &result.workloads["w"].latency_failed;
        assert_eq!(failed.count, 500);
        (failed.mean_s.unwrap(), failed.max_s.unwrap(), result.links["w"]["call"].hedges)
    };
    let (plain, copied) = (latencies(""), latencies("hedge: {delay: 10ms}"));
    assert_eq!((plain.2, copied.2), (0, 1500));
    assert!(
        (copied.0 - plain.0 - 0.030).abs() < 1e-9 && (copied.1 - plain.1 - 0.030).abs() < 1e-9,
        "{plain:?} {copied:?}"
    );
}

#[test]
fn time_before_the_copy_that_won_was_spent_on_waiting_in_vain() {
    let text = "version: 1
run: {duration: 100s}
workloads:
  w: {arrivals: {constant: 10/s}, call: lb}
components:
  lb: {kind: load_balancer, algorithm: round_robin, to: {to: [slow, fast], hedge: {delay: 10ms}}}
  slow: {kind: external, latency: 500ms}
  fast: {kind: external, latency: 30ms}
";
    let result = run(text);
    let breakdown = &result.workloads["w"].breakdown;
    let part = |what: lab::result::Spent, place: &str| {
        let found = breakdown.parts.iter().find(|part| part.what == what && part.place == place);
        found.and_then(|part| part.p50_s).map_or(0.0, |s| (s * 1e6).round() / 1e3)
    };
    use lab::result::Spent::{GivenUp, Service};
    // Each call meets the slow one first: two calls a request, one after the other in turn.
    assert_eq!((part(GivenUp, "fast"), part(Service, "fast")), (10.0, 30.0), "{:?}", breakdown.parts);
}

/// One copy waits behind a long call, the other begins at once: the first is not begun any more where they are tied.
#[test]
fn of_tied_copies_only_the_first_to_be_begun_is_worked_on() {
    let yaml = |tied: bool, rtt: &str| {
        format!(
            "version: 1
run: {{until: idle}}
workloads:
  v: {{arrivals: {{once: {{count: 1}}}}, call: a}}
  w: {{arrivals: {{once: {{count: 1, at: 1ms}}}}, requests: [{{op: quick}}], call: lb}}
components:
  lb: {{kind: load_balancer, algorithm: round_robin, to: {{to: [a, b], hedge: {{delay: 0s, tied: {tied}}}, network: {{rtt: {rtt}}}}}}}
  a: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{{wait: 100ms}}], quick: [{{wait: 10ms}}]}}}}
  b: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{quick: [{{wait: 10ms}}]}}}}
"
        )
    };
    for rtt in ["0s", "2ms"] {
        let result = run(&yaml(true, rtt));
        assert_eq!(result.components["a"].wasted_work, Some(0.0), "{rtt}");
        assert_eq!(result.components["a"].outcomes["cancelled"], 1, "{rtt}");
        assert_eq!(result.workloads["w"].outcomes["ok"], 1, "{rtt}");
        let result = run(&yaml(false, rtt));
        assert!(result.components["a"].wasted_work > Some(0.08), "{rtt}");
    }
    // Both begin before word of the other comes, and where the first fails the other is wanted.
    let both =
        yaml(true, "2ms").replace("v: {arrivals: {once: {count: 1}}", "v: {arrivals: {once: {count: 1, at: 1s}}");
    assert_eq!(run(&both).components["a"].outcomes.get("cancelled"), None);
    let fails = yaml(true, "0s").replace(
        "b: {kind: service, runtime: {thread_pool: {threads: 1}}, handlers: {quick: [{wait: 10ms}]}}",
        "b: {kind: service, runtime: {thread_pool: {threads: 1}}, handlers: {quick: [{wait: 10ms}, {fail: {}}]}}",
    );
    assert_eq!(run(&fails).workloads["w"].outcomes["ok"], 1);
    let cache = "version: 1
run: {duration: 1s}
workloads: {w: {arrivals: {poisson: 1/s}, call: {to: c, hedge: {delay: 1ms, tied: true}}}}
components: {c: {kind: external, latency: 1ms}}
";
    assert!(crate::kinds::refused(cache).join("").contains("does not know of tied requests"));
}
