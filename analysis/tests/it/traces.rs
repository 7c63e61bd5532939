//! Recorded requests: what their rows ask for is known, checked and simulated as if it were written in the scenario.

use std::sync::Arc;

use analysis::explain::explain;
use lab::{Loaded, Options, Refused, Text, load};

use crate::harness::run_loaded;

/// A table beside a scenario with this service and these requests.
fn recorded(rows: &str, handlers: &str, requests: &str) -> Result<Arc<Loaded>, Refused> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("log.csv"), format!("at,op\n{rows}")).expect("a table");
    let yaml = format!(
        "version: 1
run: {{until: idle}}
workloads:
  w: {{arrivals: {{trace: {{file: log.csv, time_column: at, op_column: op}}}}, {requests}call: {{to: api, timeout: 1s}}}}
components:
  api: {{kind: service, runtime: unlimited, handlers: {{{handlers}}}, calls: {{db: {{to: db, timeout: 1s}}}}}}
  db: {{kind: database, operations: {{default: 1ms}}}}
"
    );
    let text = Text { name: "trace.yaml".into(), bytes: yaml.into(), folder: Some(folder.path().to_path_buf()) };
    load(&text, &Options::default()).map(Arc::new)
}

/// Code, path and message of each problem.
fn refused(rows: &str, handlers: &str, requests: &str) -> Vec<String> {
    let refused = recorded(rows, handlers, requests).expect_err("it is refused");
    refused.problems.iter().map(|p| format!("{} {}: {}", p.code, p.path, p.message)).collect()
}

const HANDLERS: &str = "read: [wait: 10ms], write: [wait: 20ms, call: db]";

#[test]
fn rows_say_what_is_asked_for() {
    let loaded = recorded("0,read\n0.5,write\n1,read\n", HANDLERS, "").unwrap_or_else(|r| panic!("{:?}", r.problems));
    let result = run_loaded(&loaded, 1);
    let w = &result.workloads["w"];
    assert_eq!((w.sent, w.outcomes["ok"], result.components["db"].arrivals), (3, 3, 1));
    assert!((w.latency.max_s.expect("known") - 0.021).abs() < 1e-6, "{:?}", w.latency);
    // Nothing of it is unused, and it is known how long a request takes: 10, 21 and 10 ms.
    let explained = explain(&loaded);
    assert!(explained.warnings.iter().all(|w| w.code != "never_called"), "{:#?}", explained.warnings);
    assert!((explained.workloads["w"].latency_s - 0.041 / 3.0).abs() < 1e-9);
}

#[test]
fn an_empty_cell_leaves_it_to_the_requests() {
    let requests = "requests: [{op: write}], ";
    let loaded = recorded("0,read\n0.5,\n1,\n", HANDLERS, requests).unwrap_or_else(|r| panic!("{:?}", r.problems));
    assert_eq!(run_loaded(&loaded, 1).components["db"].arrivals, 2);
}

#[test]
fn a_row_that_nobody_handles_is_refused_before_anything_runs() {
    let at = "op_without_handler workloads.w.arrivals.trace.op_column";
    let message = "`api` is asked for `delete`, which it does not handle";
    assert_eq!(refused("0,read\n1,delete\n", HANDLERS, ""), [format!("{at}: {message}")]);
    // An empty cell asks for what `requests` are without being written.
    let unwritten = refused("0,read\n1,\n", HANDLERS, "");
    assert!(unwritten[0].ends_with("`api` is asked for `default`, which it does not handle"), "{unwritten:?}");
}

#[test]
fn a_row_whose_calls_go_round_for_ever_is_refused() {
    let handlers = "read: [wait: 1ms], write: [call: db]";
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("log.csv"), "at,op\n0,write\n").expect("a table");
    let yaml = format!(
        "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{trace: {{file: log.csv, time_column: at, op_column: op}}}}, call: api}}}}
components: {{api: {{kind: service, runtime: unlimited, handlers: {{{handlers}}}, calls: {{db: {{to: api}}}}}}}}
"
    );
    let text = Text { name: "trace.yaml".into(), bytes: yaml.into(), folder: Some(folder.path().to_path_buf()) };
    let refused = load(&text, &Options::default()).expect_err("it never ends");
    assert!(refused.problems.iter().any(|p| p.code == "call_cycle"), "{:?}", refused.problems);
}
