//! The menu of faults to inject: every fault of the table, with targets that it can strike.

use std::collections::BTreeSet;

use lab::Session;
use models::faults::FaultKind;
use settings::book::{Body, Content};
use settings::{Book, Setting, Shape};

use crate::harness::load;

/// A scenario that has a target for every fault.
const EVERYTHING: &str = "
version: 1
run: {duration: 5s}
regions: {here: {rtt: {there: 2ms}}, there: {}}
hosts: {box: {count: 2, cores: 1}}
workloads: {w: {region: here, arrivals: {poisson: 100/s}, requests: [{key: {uniform: {keys: 50}}}], call: web}}
components:
  web:
    kind: service
    region: here
    replicas: 2
    hosts: box
    runtime: {thread_pool: {threads: 8}}
    handlers: {default: [cpu: 1ms, call: store]}
    calls: {store: store}
  store: {kind: cache, region: there, capacity: 20, ttl: 2s, to: db}
  db: {kind: database, region: there, connections: 10, operations: {default: {exp: 5ms}}, write_ops: [default], replication: {replicas: 2, lag: 10ms}}
";

fn words() -> BTreeSet<&'static str> {
    let mut book = Book::new();
    let Shape::Named(name) = FaultKind::describe(&mut book) else { panic!("it is a definition") };
    let Some(Body::Choice(choice)) = book.definition(&name).map(|definition| &definition.body) else {
        panic!("it is a choice")
    };
    let is_there = |content: &Content| !matches!(content, Content::Value(Shape::NotYet));
    choice.variants.iter().filter(|variant| is_there(&variant.content)).map(|variant| variant.word).collect()
}

#[test]
fn every_fault_of_the_table_is_offered_and_does_what_it_says() {
    let session = Session::new(load(EVERYTHING), 1, None);
    let choices = session.faults_to_choose();
    let offered: BTreeSet<&str> = choices.iter().map(|choice| choice.name.as_str()).collect();
    let mut expected = words();
    assert!(expected.remove("set"), "settings are changed by themselves");
    assert!(expected.remove("replica_lag"), "how late is for the user to say");
    assert_eq!(offered, expected);
    for choice in &choices {
        assert!(!choice.doc.is_empty(), "{choice:?}");
        let mut session = session.clone();
        session.run_until(1_000_000_000).expect("it runs");
        session.inject(&choice.text).unwrap_or_else(|why| panic!("{choice:?}: {why}"));
        session.run_to_end().unwrap_or_else(|failure| panic!("{choice:?}: {failure}"));
        assert_eq!(session.snapshot().faults.len(), 1, "{choice:?}");
    }
}

#[test]
fn what_cannot_strike_is_not_offered() {
    let choices = Session::new(load(EVERYTHING), 1, None).faults_to_choose();
    let targets = |name: &str| -> Vec<&str> {
        choices.iter().filter(|choice| choice.name == name).map(|choice| choice.target.as_str()).collect()
    };
    assert_eq!(targets("surge"), ["w"]);
    assert_eq!(targets("flush"), ["store"], "nothing else remembers");
    assert_eq!(targets("kill"), ["web", "store", "db"]);
    assert_eq!(targets("host_down"), ["box"]);
    assert!(targets("network").contains(&"web.store") && !targets("network").contains(&"web"));
}
