//! Messages: what is delivered again while it is still being processed, and what is delivered again for ever.

use super::{Finder, mend, nice, percent, time};
use crate::explain::backlog::Consumer;

/// Receives that outlast the visibility timeout are worth a warning from this share on.
const OUTLASTING: f64 = 1e-3;
/// What is proposed is this many times as long as nearly all receives take.
const AMPLE: f64 = 2.0;

/// Processing takes longer than the messages stay invisible.
pub(super) fn visibility(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for (name, queue) in finder.explained.queues.clone() {
        let outlasting = |consumer: &&Consumer| consumer.outlasts_visibility > OUTLASTING;
        let Some(consumer) =
            queue.consumers.iter().filter(outlasting).max_by(|a, b| a.takes_p99_s.total_cmp(&b.takes_p99_s))
        else {
            continue;
        };
        let redelivers = graph
            .consumers
            .iter()
            .any(|at| graph.name(at.queue) == name && graph.name(at.component) == consumer.name && at.redelivers());
        let Some(visibility_s) = consumer.visibility_s.filter(|_| redelivers) else { continue };
        let path = settings::Path::of(&["components", &name, "visibility_timeout"]);
        let of_batch =
            if consumer.batch > 1 { format!(" with up to {} messages", consumer.batch) } else { String::new() };
        let message = format!(
            "{} of the receives of {}{of_batch} take longer than the visibility timeout of {}, which is {} (p99: {}): their messages \
             are delivered again while they are still being processed",
            percent(consumer.outlasts_visibility),
            consumer.name,
            name,
            time(visibility_s),
            time(consumer.takes_p99_s),
        );
        let longest_s = queue.consumers.iter().map(|consumer| consumer.takes_p99_s).fold(0.0, f64::max);
        let change = mend(&path, nice((longest_s.max(visibility_s) * AMPLE).min(43_200.0)));
        finder.warn_mended(
            "visibility_too_short",
            &path,
            message,
            "use a longer timeout, or `extend_visibility`",
            change,
        );
    }
}

/// Messages that fail are delivered again without end.
pub(super) fn dead_letter(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for queue in 0..graph.components.len() {
        let fails = |consumer: &super::super::graph::ConsumerAt<'_>| {
            let ops = finder.load.fresh.arrivals.keys().filter(|(at, _, _)| *at == queue).map(|(_, op, _)| op.as_str());
            let failed =
                |op: &str| finder.load.bare.answer(consumer.component, consumer.op.unwrap_or(op)).failed().weight();
            let most = ops.map(failed).fold(0.0, f64::max);
            (consumer.redelivers_without_end() && most > 0.0).then(|| (graph.name(consumer.component), most))
        };
        let Some((consumer, most)) = graph.consumers_of(queue).find_map(fails) else { continue };
        let (name, path) = (graph.name(queue), finder.component_path(queue));
        let message = format!(
            "nothing bounds how often {name} delivers a message whose processing fails ({} of the deliveries to {consumer} do): one \
             that always fails is never got rid of",
            percent(most),
        );
        let style = graph.components[queue].hands_out().map_or("", |manner| manner.style);
        let help = match style {
            "sqs" | "sqs_fifo" => "add a queue for `dead_letter`, with `max_receives`",
            "rabbitmq" => "set a `delivery_limit`, and add a queue for `dead_letter`",
            _ => "add a queue for `dead_letter` and use `on_failure: dead_letter`, or use `on_failure: skip`",
        };
        finder.warn("no_dead_letter", &path, message, help.into());
    }
}
