//! Overrides of settings in their short form.

use settings::overrides::write_out;
use settings::{Book, Map, Path, Setting, SourceId, Span, notation};

use crate::types::*;

/// The tree after an override.
fn overridden<T: Setting>(text: &str, path: &str, value: &str) -> String {
    let mut book = Book::new();
    let shape = T::describe(&mut book);
    let parse = |text| notation::parse(text, SourceId(0)).expect(text);
    let (mut node, path) = (parse(text), Path::parse(path).expect(path));
    write_out(&book, &shape, &mut node, &path);
    match node.patch(&path, Span::NOWHERE, parse(value)) {
        Ok(()) => node.to_string(),
        Err(problem) => problem.message,
    }
}

#[test]
fn an_override_reaches_inside_a_shorthand() {
    assert_eq!(overridden::<Map<Link>>("{db: edge}", "db.timeout", "1s"), "{db: {to: edge, timeout: 1s}}");
    assert_eq!(overridden::<Link>("[a, b]", "timeout", "1s"), "{to: [a, b], timeout: 1s}");
    assert_eq!(overridden::<Link>("{to: [a, b]}", "to.1.weight", "2"), "{to: [a, {to: b, weight: 2}]}");
    assert_eq!(overridden::<Operation>("{exp: 5ms}", "cpu", "1ms"), "{io: {exp: 5ms}, cpu: 1ms}");
    assert_eq!(overridden::<Operation>("{exp: 5ms}", "exp", "1ms"), "{exp: 1ms}");
    assert_eq!(overridden::<Operation>("5ms", "io", "1ms"), "{io: 1ms}");
}

#[test]
fn an_override_reaches_inside_a_word() {
    assert_eq!(
        overridden::<Pool>("{size: 1, order: codel}", "order.codel.target", "9ms"),
        "{size: 1, order: {codel: {target: 9ms}}}"
    );
    assert_eq!(
        overridden::<Link>("{to: a, retry: {backoff: none}}", "retry.backoff.jitter", "full"),
        "{to: a, retry: {backoff: {none: {}, jitter: full}}}"
    );
    assert_eq!(
        overridden::<Placed>("{kind: service, calls: {db: edge}}", "calls.db.timeout", "1s"),
        "{kind: service, calls: {db: {to: edge, timeout: 1s}}}"
    );
}

#[test]
fn what_is_not_on_the_path_stays_as_it_is_written() {
    assert_eq!(
        overridden::<Link>("edge", "timeuot", "1s"),
        "the document is the single value `edge`, so it has no `timeuot`"
    );
    assert_eq!(
        overridden::<Pool>("{size: 1, order: codel}", "order.priority.preempt", "true"),
        "`order` is the single value `codel`, so it has no `priority`"
    );
    assert_eq!(overridden::<Map<Link>>("{a: x, b: y}", "a.timeout", "1s"), "{a: {to: x, timeout: 1s}, b: y}");
}
