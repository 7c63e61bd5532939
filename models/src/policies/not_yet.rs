//! A key that the language has and this version does not: refused by name instead of as a typo.

use settings::bind::{Fields, NOT_YET, Part};
use settings::{Book, Node, Path, Problem, Reader, Setting, Shape, Span};

/// A setting or choice that is refused whenever it is written.
///
/// It has no values, so code that matches on a choice of the language lists what is missing as `Missing(never) => match
/// *never {}`. The day it gets settings of its own, every such place fails to compile until somebody has thought of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYet {}

/// What comes nearest to something that is missing, by the place where it would be written: a part of the path around it (none:
/// anywhere), its word, and what there is.
pub const NEAREST: &[(&str, &str, &str)] = &[
    ("concurrency", "aimd", "`concurrency: {fixed: …}`, a limit that does not adapt"),
    ("concurrency", "vegas", "`concurrency: {fixed: …}`, a limit that does not adapt"),
    ("concurrency", "gradient", "`concurrency: {fixed: …}`, a limit that does not adapt"),
    ("concurrency", "gradient2", "`concurrency: {fixed: …}`, a limit that does not adapt"),
    ("concurrency", "envoy_gradient", "`concurrency: {fixed: …}`, a limit that does not adapt"),
    ("admission", "max_connections", "`pool` of the links that lead here"),
    ("autoscale", "target_tracking", "`hpa`"),
    ("autoscale", "step", "`hpa` with `behavior`"),
    ("autoscale", "keda", "`hpa` with `per_replica: in_flight`"),
    ("deploy", "set", "the event `set`, which changes all replicas at once"),
    ("deploy", "blue_green", "`rolling: {max_surge: 100%, max_unavailable: 0}`"),
    ("deploy", "canary", "`rolling` with a long `min_ready`"),
    ("health_check", "op", "the probe without `op`, which asks the process"),
    ("style", "kafka", "`style: sqs_fifo`, which is in order by key"),
    ("style", "redis_stream", "`style: rabbitmq`"),
    ("on_failure", "retry", "`on_failure: requeue`"),
    ("key", "uniform", "a key of the workload's `requests`, which calls carry on"),
    ("key", "zipf", "a key of the workload's `requests`, which calls carry on"),
    ("key", "hot", "a key of the workload's `requests`, which calls carry on"),
    ("key", "sequential", "a key of the workload's `requests`, which calls carry on"),
    ("faults", "rebalance", "the fault `pause`"),
];

fn problem(span: Span, word: &str, path: &Path) -> Problem {
    let is_meant = |(around, known, _): &&(&str, &str, &str)| {
        *known == word && (around.is_empty() || path.segments().iter().any(|segment| segment == around))
    };
    let help = match NEAREST.iter().find(is_meant) {
        Some((_, _, nearest)) => format!("the nearest is {nearest}"),
        None => "this version cannot simulate it; remove it".to_string(),
    };
    Problem::error(NOT_YET, span, format!("`{word}` is not supported yet")).help(help)
}

impl Setting for NotYet {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let place = cx.introduced_at(node.span);
        let word = cx.path().segments().last().cloned().unwrap_or_default();
        cx.refuse(problem(place, &word, cx.path()))
    }

    fn describe(_book: &mut Book) -> Shape {
        Shape::NotYet
    }

    fn write(&self) -> Node {
        match *self {}
    }
}

/// A kind of which nothing is there yet.
impl Part for NotYet {
    fn read_part(fields: &mut Fields<'_>, cx: &mut Reader) -> Option<Self> {
        let word = fields.tag_word().to_string();
        let found = problem(Span::NOWHERE, &word, cx.path());
        fields.refuse_tag(cx, found)
    }

    fn write_part(&self, _entries: &mut Vec<settings::Entry>) {
        match *self {}
    }
}
