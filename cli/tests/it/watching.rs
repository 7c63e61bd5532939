//! Watching does not change a run: whatever is paused, sought, branched and discarded, the result has the same bytes.

use std::sync::Arc;

use lab::{Options, Session, Text};
use tui::Simulation;
use tui::deck::{Deck, Doing, Side};

use crate::watched::Watched;

const SECOND: i64 = 1_000_000_000;

fn session(name: &str) -> Session {
    let text = language::builtin::text(name).expect("it is built in");
    let text = Text { name: format!("@{name}"), bytes: text.as_bytes().to_vec(), folder: None };
    let loaded = lab::load(&text, &Options::default()).expect("it is right");
    Session::new(Arc::new(loaded), 7, None)
}

fn result(session: &Session) -> String {
    serde_json::to_string(&session.result()).expect("plain data")
}

/// The result of a plain session, as `run` computes it.
fn run(name: &str) -> String {
    let mut session = session(name);
    session.run_to_end().expect("it runs");
    result(&session)
}

#[test]
fn a_run_that_was_paused_rewound_branched_and_resumed_ends_with_the_bytes_of_run() {
    let mut deck = Deck::new(Watched::new(session("retry-storm")), 8, u64::MAX);
    // In pieces, with observations in between.
    for second in (-25..70).step_by(5) {
        deck.run_until(second * SECOND + 123_456_789);
        deck.keep_checkpoint(1);
        assert!(deck.focused().requests().is_some() && deck.focused().snapshot().at_s > -30.0);
    }
    // Go back, and forward again.
    deck.rewind_towards(10 * SECOND + 1);
    deck.run_until(10 * SECOND + 1);
    deck.run_until(64 * SECOND);
    // Create another future with a changed setting and a fault, observe it, and discard it.
    deck.branch().expect("there is one future");
    let path = "workloads.shoppers.call.retry.max_attempts".to_string();
    deck.make(Doing::Set { path, value: "1".into() }).expect("it is live");
    deck.run_until(80 * SECOND);
    deck.make(Doing::Inject { yaml: "{for: 5s, pause: db}".into() }).expect("it can strike");
    deck.run_until(95 * SECOND);
    deck.rewind_towards(70 * SECOND);
    deck.run_until(110 * SECOND);
    let branch = deck.side(Side::Branch).expect("it is there").clone();
    deck.keep_only(Side::Original).expect("there are two futures");
    // Undo a change.
    deck.make(Doing::Inject { yaml: "{for: 5s, surge: {workload: shoppers, x: 3}}".into() }).expect("it can strike");
    deck.run_until(120 * SECOND);
    deck.take_back().expect("it was made");
    deck.run_until(i64::MAX);
    assert_eq!(result(deck.focused().session()), run("retry-storm"));
    // The branch equals a run with its changes.
    let mut again = session("retry-storm");
    again.run_until(64 * SECOND).expect("it runs");
    again.set("workloads.shoppers.call.retry.max_attempts", "1").expect("it is live");
    again.run_until(80 * SECOND).expect("it runs");
    again.inject("{for: 5s, pause: db}").expect("it can strike");
    again.run_until(110 * SECOND).expect("it runs");
    assert_eq!(result(branch.session()), result(&again));
}

#[test]
fn a_run_without_an_end_of_its_own_is_watched_to_where_it_comes_to_rest() {
    let mut watched = Watched::new(session("event-loop"));
    let end = watched.end_ns();
    assert!(end > SECOND / 10 && watched.window_ns() > 0, "it is known ahead: {end}");
    watched.run_until(end / 2);
    assert!(watched.now_ns() == end / 2 && !watched.session().is_finished());
    watched.run_until(i64::MAX / 2);
    assert!(watched.session().is_finished());
    assert_eq!(result(watched.session()), run("event-loop"));
    assert!(watched.clone_bytes().is_some_and(|bytes| bytes > 0));
}
