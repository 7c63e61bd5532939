//! Traces of single requests: their times add up, and tracing changes nothing.

use lab::Session;
use lab::requests::{Outcome, Requests, Waterfall};

use crate::harness::load;

/// Runs to the end with tracing of requests.
fn traced(yaml: &str) -> (Session, Requests) {
    let mut session = Session::new(load(yaml), 7, None);
    session.trace_requests();
    session.run_to_end().expect("it runs");
    let requests = session.requests().expect("they are traced");
    (session, requests)
}

fn waterfalls(requests: &Requests) -> Vec<Waterfall> {
    (0..requests.len()).filter_map(|index| requests.waterfall(index)).collect()
}

#[test]
fn tracing_changes_no_byte_of_any_result() {
    for name in ["retry-storm", "pool-exhaustion-cascade", "cache-stampede", "retry-layers", "bounded-queue"] {
        let run = |is_traced: bool| {
            let yaml = language::builtin::text(name).expect("it is built in");
            let loaded = load(yaml);
            let mut session = Session::new(loaded, 7, None);
            if is_traced {
                session.trace_requests();
            }
            session.run_until(65_000_000_000).expect("it runs");
            (session.events(), serde_json::to_string(&session.result()).expect("plain data"))
        };
        assert_eq!(run(false), run(true), "{name}");
    }
}

/// Retries over a link with a pool to a database, without concurrent calls: every instant of a request belongs to one
/// stretch, or to the wait for an abandoned call.
#[test]
fn stretches_and_waits_in_vain_add_up_to_the_latency() {
    let (_, requests) = traced(
        "version: 1
run: {duration: 20s}
workloads: {w: {arrivals: {poisson: 300/s}, call: {to: api, timeout: 60ms, retry: {max_attempts: 3, backoff: {exponential: {base: 5ms}}}}}}
components:
  api:
    kind: service
    runtime: {thread_pool: {threads: 12}}
    handlers: {default: [{wait: {exp: 2ms}}, {call: db}, {wait: {exp: 2ms}}]}
    calls: {db: {to: db, pool: {size: 4}, network: {rtt: 1ms}}}
  db: {kind: database, connections: 50, operations: {default: {exp: 10ms}}}
",
    );
    let (mut good, mut failed, mut with_given_up) = (0, 0, 0);
    for waterfall in waterfalls(&requests).iter().filter(|waterfall| waterfall.line.outcome.is_some()) {
        let sum: f64 = waterfall.parts().iter().map(|(_, _, spent_s)| spent_s).sum();
        assert!((sum - waterfall.line.took_s).abs() < 1e-8, "{sum} of {waterfall:#?}");
        with_given_up += usize::from(waterfall.rows.iter().any(|row| row.wasted_from_s.is_some()));
        match waterfall.line.outcome {
            Some(Outcome::Ok) => good += 1,
            _ => failed += 1,
        }
    }
    // The sum is only meaningful if all three sorts occur.
    assert!(good > 50 && failed > 10 && with_given_up > 50, "{good} {failed} {with_given_up}");
}

#[test]
fn rows_lie_within_their_requests_and_stretches_do_not_overlap() {
    for name in ["retry-storm", "pool-exhaustion-cascade", "one-query-for-many", "threads-for-slow-calls"] {
        let (session, requests) = traced(language::builtin::text(name).expect("it is built in"));
        let mut rows = 0;
        for waterfall in waterfalls(&requests) {
            for row in &waterfall.rows {
                rows += 1;
                assert!(row.from_s <= row.until_s && row.from_s >= 0.0, "{name}: {row:?}");
                assert!(row.wasted_from_s.is_none_or(|at| at >= 0.0), "{name}: {row:?}");
                let mut at = row.from_s;
                for (_, _, from, until) in &row.stretches {
                    assert!(*from >= at - 1e-9 && until > from, "{name}: {row:?}");
                    at = *until;
                }
                assert!(at <= row.until_s + 1e-9, "{name}: {row:?}");
            }
            assert!(waterfall.rows[0].depth == 0 && waterfall.rows[1..].iter().all(|row| row.depth > 0), "{name}");
        }
        assert!(rows > 0 && session.is_finished(), "{name}");
    }
}

#[test]
fn the_sample_is_small_and_its_slowest_come_first() {
    let (_, requests) = traced(language::builtin::text("retry-storm").expect("it is built in"));
    let lines = requests.slowest_first(f64::NEG_INFINITY);
    assert!((100..=512).contains(&lines.len()), "{}", lines.len());
    assert!(lines.is_sorted_by(|one, other| one.took_s >= other.took_s));
    assert!(lines.iter().any(|line| line.attempts == 3) && lines.iter().any(|line| line.attempts == 1));
    // Work continues long after its clients have given up.
    let longest_waste = waterfalls(&requests)
        .iter()
        .flat_map(|waterfall| waterfall.rows.iter().filter_map(|row| Some(row.until_s - row.wasted_from_s?)))
        .fold(0.0, f64::max);
    assert!(longest_waste > 60.0, "{longest_waste}");
    assert!(requests.slowest_first(100.0).iter().all(|line| line.at_s >= 100.0));
}
