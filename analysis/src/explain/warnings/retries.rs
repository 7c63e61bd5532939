//! Retries: without a budget, in step, in several layers, or of what never happens.

use models::policies::backoff::{BackoffGrowth, Jitter};
use models::policies::outcomes::OutcomeName;

use super::super::graph::{Caller, Graph};
use super::{Finder, mend, nice};

/// Links that retry, by number.
fn retrying(graph: &Graph<'_>) -> Vec<usize> {
    (0..graph.links.len()).filter(|link| graph.links[*link].settings.max_attempts() > 1).collect()
}

/// Retries that nothing bounds.
pub(super) fn budget(finder: &mut Finder<'_, '_>) {
    if super::queues::is_finite(finder.graph) {
        return;
    }
    for nth in retrying(finder.graph) {
        let link = &finder.graph.links[nth];
        let Some(retry) = link.settings.retry.as_ref().filter(|retry| retry.budget.is_none()) else { continue };
        let path = link.path.join("retry");
        let message = format!(
            "{}.{} retries without a budget: when every call fails it sends {} times the load",
            link.from, link.name, retry.max_attempts
        );
        let change = mend(&path.join("budget"), "{ratio: {ratio: 10%}}");
        finder.warn_mended("retry_without_budget", &path, message, "limit retries to a share of the calls", change);
    }
}

/// Retries that come back together.
pub(super) fn back_off(finder: &mut Finder<'_, '_>) {
    for nth in retrying(finder.graph) {
        let link = &finder.graph.links[nth];
        let Some(retry) = &link.settings.retry else { continue };
        let path = link.path.join("retry");
        if retry.backoff.growth == BackoffGrowth::None {
            let message = format!(
                "{}.{} retries without a back-off: a failed target gets the next attempt before it can recover",
                link.from, link.name
            );
            let usual_s = finder.load.endless(nth).mean().max(0.001);
            let value =
                format!("{{exponential: {{base: {}, max: {}}}, jitter: full}}", nice(usual_s), nice(usual_s * 20.0));
            let change = mend(&path.join("backoff"), value);
            finder.warn_mended("retry_without_backoff", &path, message, "back off exponentially", change);
        } else if retry.backoff.jitter == Jitter::None {
            let message = format!(
                "{}.{} backs off without jitter: calls that failed together are retried together",
                link.from, link.name
            );
            let change = mend(&path.join("backoff").join("jitter"), "full");
            let at = path.join("backoff");
            finder.warn_mended("retry_without_jitter", &at, message, "spread the retries", change);
        }
    }
}

/// Links that retry and lead to a component, by way of others or not.
fn retrying_above(graph: &Graph<'_>, component: usize) -> Vec<usize> {
    let (mut found, mut open, mut seen) = (Vec::new(), vec![component], vec![component]);
    while let Some(at) = open.pop() {
        for (nth, link) in graph.links.iter().enumerate() {
            if !link.ways.iter().any(|way| way.component == at) {
                continue;
            }
            if link.settings.max_attempts() > 1 && !found.contains(&nth) {
                found.push(nth);
            }
            if let Caller::Component(caller) = link.caller
                && !seen.contains(&caller)
            {
                seen.push(caller);
                open.push(caller);
            }
        }
    }
    found
}

/// Retries of several layers, which multiply.
pub(super) fn layers(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for nth in retrying(graph) {
        let link = &graph.links[nth];
        let Caller::Component(caller) = link.caller else { continue };
        let above = finder.explained.components.get(graph.name(caller)).and_then(|c| c.attempts_most);
        let Some(above) = above.filter(|above| *above > 1.0) else { continue };
        let own = f64::from(link.settings.max_attempts());
        let path = link.path.join("retry");
        let whom: Vec<&str> = link.settings.to.iter().map(|target| target.to.as_str()).collect();
        let message = format!(
            "retries multiply: the layers above call {} up to {above} times per request, and {}.{} makes {own} attempts at each, \
             {} calls of {} in all",
            link.from,
            link.from,
            link.name,
            above * own,
            whom.join(" or ")
        );
        // Who is nearest to what fails repeats the least; what is above need not try again.
        match retrying_above(graph, caller).as_slice() {
            [one] => {
                let change = mend(&graph.links[*one].path.join("retry"), "null");
                finder.warn_mended("retries_multiply", &path, message, "retry in one layer only", change);
            }
            _ => finder.warn("retries_multiply", &path, message, "retry in one layer only, the lowest".into()),
        }
    }
}

/// Retries of a failure that cannot happen.
pub(super) fn never(finder: &mut Finder<'_, '_>) {
    for nth in retrying(finder.graph) {
        let link = &finder.graph.links[nth];
        let Some(retry) = &link.settings.retry else { continue };
        let path = link.path.join("retry").join("when");
        if retry.when == [OutcomeName::Timeout] && link.settings.timeout.is_none() {
            let message =
                format!("{}.{} retries only after a `timeout`, and its attempts have none", link.from, link.name);
            let usual_s = finder.load.endless(nth).mean().max(0.001);
            let share_s =
                link.settings.total_timeout.map(|total| total.0 as f64 / 1e9 * 0.9 / f64::from(retry.max_attempts));
            let change = mend(&link.path.join("timeout"), nice(share_s.unwrap_or(usual_s * 10.0)));
            finder.warn_mended("retry_never", &path, message, "set a timeout for an attempt", change);
        } else if retry
            .when
            .iter()
            .all(|outcome| matches!(outcome, OutcomeName::ClientError | OutcomeName::Ok | OutcomeName::Accepted))
        {
            let message = format!("{}.{} never retries: none of these outcomes can be retried", link.from, link.name);
            finder.warn_mended("retry_never", &path, message, "remove it to use the default", mend(&path, "null"));
        }
    }
}
