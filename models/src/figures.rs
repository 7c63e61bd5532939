//! All declarations of figures: those that the engine measures of every workload, component and link, and a list of
//! what kinds, policies and workloads declare themselves, for the reference and for reading results back.

use sim_core::figures::{Dimension, Set};
use sim_core::{Figure, slots};

use crate::components::KINDS;
use crate::{balancing, costs, policies, workloads};

/// Figures of one owner: a kind of component, a policy of links, or workloads.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// The group of the reference that the owner belongs to: `components`, `link settings`, `sections`.
    pub group: &'static str,
    /// The owner's word in the language.
    pub owner: &'static str,
    /// Its figures.
    pub figures: Set,
}

/// What kinds, policies, workloads and hosts declare, in the order of the tables; a kind can have several rows.
pub fn declared() -> impl Iterator<Item = Declared> {
    let kinds = KINDS
        .iter()
        .flat_map(|row| row.figures.iter().map(|figures| Declared { group: "components", owner: row.name, figures }));
    let of_policies = policies::link_settings::FIGURES.iter();
    let policies = of_policies.map(|(owner, figures)| Declared { group: "link settings", owner, figures });
    let checks = Declared { group: "link settings", owner: "health_check", figures: balancing::checker::FIGURES };
    let workloads = Declared { group: "sections", owner: "workloads", figures: workloads::FIGURES };
    let hosts = Declared { group: "sections", owner: "hosts", figures: sim_core::cpu::FIGURES_OF_MACHINES };
    let memory = Declared { group: "sections", owner: "hosts", figures: sim_core::memory::FIGURES_OF_MACHINES };
    let sockets = Declared { group: "sections", owner: "hosts", figures: sim_core::sockets::FIGURES_OF_MACHINES };
    let costs = Declared { group: "sections", owner: "hosts", figures: costs::FIGURES_OF_HOSTS };
    kinds.chain(policies).chain([checks, workloads, hosts, memory, sockets, costs])
}

/// The declaration of a name; of a name that several owners declare, the first, which has the same unit.
pub fn find(name: &str) -> Option<&'static Figure> {
    declared().flat_map(|declared| declared.figures).find(|figure| figure.name == name).copied()
}

/// What is measured of every workload.
pub mod of_workloads {
    use super::*;

    /// Requests.
    pub const SENT: Figure = Figure::count("sent", "Requests sent after the warm-up.").kept();
    /// Requests that have ended.
    pub const COMPLETED: Figure = Figure::count("completed", "Requests sent after the warm-up that have ended.");
    /// Requests a second.
    pub const OFFERED: Figure = Figure::count("offered", "Requests sent per second.").per_second();
    /// Good requests a second.
    pub const GOODPUT: Figure =
        Figure::count("goodput", "Requests per second that ended ok or accepted within the deadline.")
            .per_second()
            .kept();
    /// Times of requests that ended well.
    pub const LATENCY: Figure = Figure::times(
        "latency",
        "From the intended instant to the answer, of requests that ended ok, accepted or degraded.",
    );
    /// Times of the others.
    pub const LATENCY_FAILED: Figure =
        Figure::times("latency_failed", "From the intended instant to the end, of all other requests.");
    /// Times of all.
    pub const LATENCY_ALL: Figure = Figure::times(
        "latency_all",
        "The same of all requests that were sent: those that did not end well are infinitely slow, those under way count once \
         they are older than the percentile. What objectives hold against a bound.",
    );
    /// Until all was done that was set off.
    pub const COMPLETION_LATENCY: Figure = Figure::times(
        "completion.latency",
        "From the intended instant to the end of all work that the request set off: steps after the answer, `send` calls, messages and \
         their processing. Of requests that ended ok or accepted and lost none of it.",
    );
    /// The same of all.
    pub const COMPLETION_LATENCY_ALL: Figure = Figure::times(
        "completion.latency_all",
        "The same with lost work counted as infinitely slow and pending work once it is older than the percentile. Objectives use \
         this one.",
    );
    /// Where that failed.
    pub const COMPLETION_FAILED: Figure = Figure::count(
        "completion.failed",
        "Requests that ended ok or accepted and lost work they had set off: a message was dead-lettered, skipped, dropped, expired or \
         lost, or a replica died.",
    );
    /// Where that goes on.
    pub const COMPLETION_PENDING: Figure =
        Figure::level("completion.pending", "Requests that ended ok or accepted and have work pending at the end.");
    /// Until the result was there.
    pub const RESULT_LATENCY: Figure = Figure::times(
        "result.latency",
        "From the intended instant to the poll answer that delivered the result, with `poll`.",
    );
    /// The same of all.
    pub const RESULT_LATENCY_ALL: Figure = Figure::times(
        "result.latency_all",
        "The same with failures counted as infinitely slow and pending polls once they are older than the percentile. Objectives use \
         this one.",
    );
    /// Where there was none.
    pub const RESULT_FAILED: Figure =
        Figure::count("result.failed", "Requests whose client gave up polling, or whose work was lost.");
    /// Where that goes on.
    pub const RESULT_PENDING: Figure =
        Figure::level("result.pending", "Requests whose clients are still polling at the end.");
    /// Those that ended well.
    pub const SUCCESS: Figure =
        Figure::share("success", "Share of the completed requests that ended ok, accepted or degraded.");
    /// The others.
    pub const ERROR_RATE: Figure = Figure::share("error_rate", "Share of the completed requests that failed.");
    /// Those that a fallback answered.
    pub const DEGRADED_SHARE: Figure =
        Figure::share("degraded_share", "Share of the completed requests answered by a fallback.");
    /// Good ones.
    pub const WITHIN_DEADLINE: Figure = Figure::share(
        "within_deadline",
        "Share of the completed requests that ended ok or accepted within the deadline.",
    );
    /// The window with the fewest good ones.
    pub const WORST_WINDOW: Figure = Figure::mean("worst_window", "Goodput of the worst window.").per_second();
    /// Requests by outcome.
    pub const OUTCOMES: Figure = Figure::count("outcomes", "Requests by outcome.").by(Dimension::Outcome);
    /// Good answers that were late.
    pub const LATE: Figure = Figure::count("late", "Requests that ended ok or accepted, but after the deadline.");
    /// The sample of the breakdown.
    pub const SAMPLED: Figure = Figure::count("breakdown.sampled", "Requests sampled for the latency breakdown.");
    /// Its median.
    pub const BREAKDOWN_P50: Figure =
        Figure::mean("breakdown.p50", "Mean latency of the sampled requests around the median.").in_seconds();
    /// Its tail.
    pub const BREAKDOWN_P99: Figure =
        Figure::mean("breakdown.p99", "Mean latency of the sampled requests around the 99th percentile.").in_seconds();
    /// Attempts for each request.
    pub const ATTEMPTS_PER_REQUEST: Figure = Figure::mean("attempts_per_request", "Attempts per request sent.");
    /// Requests under way.
    pub const IN_FLIGHT: Figure = Figure::gauge("in_flight", "Requests in flight, time average.");
    /// Requests in flight at the end.
    pub const IN_FLIGHT_END: Figure = Figure::level("in_flight_end", "Requests in flight at the end.");

    /// All of them.
    pub const FIGURES: Set = &[
        &SENT,
        &COMPLETED,
        &OFFERED,
        &GOODPUT,
        &LATENCY,
        &LATENCY_FAILED,
        &LATENCY_ALL,
        &COMPLETION_LATENCY,
        &COMPLETION_LATENCY_ALL,
        &COMPLETION_FAILED,
        &COMPLETION_PENDING,
        &RESULT_LATENCY,
        &RESULT_LATENCY_ALL,
        &RESULT_FAILED,
        &RESULT_PENDING,
        &SUCCESS,
        &ERROR_RATE,
        &DEGRADED_SHARE,
        &WITHIN_DEADLINE,
        &WORST_WINDOW,
        &OUTCOMES,
        &LATE,
        &SAMPLED,
        &BREAKDOWN_P50,
        &BREAKDOWN_P99,
        &ATTEMPTS_PER_REQUEST,
        &IN_FLIGHT,
        &IN_FLIGHT_END,
    ];
}

/// What is measured of every component.
pub mod of_components {
    use super::*;

    /// Replicas.
    pub const REPLICAS: Figure = Figure::level("replicas", "Replicas at the end.");
    /// Calls.
    pub const ARRIVALS: Figure = Figure::count("arrivals", "Calls that arrived after the warm-up.").kept();
    /// Calls that have been answered.
    pub const COMPLETED: Figure =
        Figure::count("completed", "Calls that arrived after the warm-up and have been answered.").kept();
    /// Cores in use.
    pub const CPU: Figure = Figure::share("cpu", "Share of the cores in use, time average; unknown without cores.");
    /// Calls under way.
    pub const IN_FLIGHT: Figure = Figure::gauge("in_flight", "Calls in flight, time average.").kept().sampled();
    /// Calls in flight at the end.
    pub const IN_FLIGHT_END: Figure = Figure::level("in_flight_end", "Calls in flight at the end.");
    /// How long calls wait.
    pub const QUEUE_WAIT: Figure = Figure::times(
        "queue.wait",
        "Queueing time of calls that got a worker or connection, or of messages in a queue.",
    );
    /// How long calls take.
    pub const LATENCY: Figure =
        Figure::times("latency", "From arrival to answer, of calls answered ok, accepted or degraded.");
    /// Calls by outcome.
    pub const OUTCOMES: Figure = Figure::count("outcomes", "Calls by outcome.").by(Dimension::Outcome);
    /// Retries among the calls.
    pub const RETRY_SHARE: Figure =
        Figure::share("retry_share", "Share of the arrivals caused by a retry or hedge at any layer above.");
    /// What retries make of the load.
    pub const AMPLIFICATION: Figure =
        Figure::mean("amplification", "Factor by which retries multiply the load: 1 / (1 − `retry_share`).").kept();

    /// All of them, with what those report that have workers, connections or a queue.
    pub const FIGURES: Set = &[
        &REPLICAS,
        &ARRIVALS,
        &COMPLETED,
        &slots::UTILIZATION,
        &CPU,
        &IN_FLIGHT,
        &IN_FLIGHT_END,
        &slots::QUEUE_DEPTH,
        &slots::QUEUE_DEPTH_MAX,
        &slots::QUEUE_DEPTH_END,
        &QUEUE_WAIT,
        &slots::QUEUE_OLDEST_AGE,
        &LATENCY,
        &OUTCOMES,
        &RETRY_SHARE,
        &AMPLIFICATION,
        &slots::WASTED_WORK,
    ];
}

/// What is measured of every group of hosts.
pub mod of_hosts {
    use super::*;

    /// Hosts.
    pub const COUNT: Figure = Figure::level("count", "Number of hosts.");
    /// Cores in use.
    pub const CPU: Figure = Figure::share("cpu", "Share of the hosts' cores in use, time average.").kept();

    /// All of them.
    pub const FIGURES: Set = &[&COUNT, &CPU];
}

/// What is measured of every link.
pub mod of_links {
    use super::*;

    /// Calls.
    pub const CALLS: Figure = Figure::count("calls", "Logical calls made after the warm-up.");
    /// Attempts.
    pub const ATTEMPTS: Figure = Figure::count("attempts", "Attempts, retries and hedges included.").kept();
    /// Attempts by outcome.
    pub const OUTCOMES: Figure =
        Figure::count("outcomes", "Attempts by outcome, as seen by the caller.").by(Dimension::Outcome);
    /// Retries.
    pub const RETRIES: Figure = Figure::count("retries", "Attempts that were retries.").kept();
    /// Retries that were not made.
    pub const RETRIES_REFUSED: Figure = Figure::count("retries_refused", "Retries rejected by the budget.");
    /// Hedges.
    pub const HEDGES: Figure = Figure::count("hedges", "Attempts that were hedges.");
    /// Attempts for each call.
    pub const AMPLIFICATION: Figure = Figure::mean("amplification", "Attempts per logical call.").kept();
    /// Calls under way.
    pub const IN_FLIGHT: Figure = Figure::gauge(
        "in_flight",
        "Calls whose caller waits for the answer or for its turn, time average; unknown for a cache or balancer.",
    )
    .kept();

    /// All of them.
    pub const FIGURES: Set =
        &[&CALLS, &ATTEMPTS, &OUTCOMES, &RETRIES, &RETRIES_REFUSED, &HEDGES, &AMPLIFICATION, &IN_FLIGHT];
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::figures::{Merge, Unit};
    use std::collections::{BTreeMap, BTreeSet};

    /// What anybody declares.
    fn everything() -> impl Iterator<Item = Declared> {
        let of_all = [
            ("workloads", of_workloads::FIGURES),
            ("components", of_components::FIGURES),
            ("link", of_links::FIGURES),
            ("hosts", of_hosts::FIGURES),
        ];
        declared().chain(of_all.map(|(owner, figures)| Declared { group: "of all", owner, figures }))
    }

    fn is_snake_case(word: &str) -> bool {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(letters)
    }

    #[test]
    fn names_are_snake_case_and_say_nothing_of_the_unit() {
        for Declared { owner, figures, .. } in everything() {
            for figure in figures {
                let name = figure.name;
                assert!(name.split('.').all(is_snake_case), "{owner}: {name}");
                assert!(
                    !name.ends_with("_s") && !name.ends_with("_seconds"),
                    "{owner}: {name} has its unit in its name"
                );
                if let Merge::States(states) = figure.merge {
                    assert!(states.len() > 1 && states.iter().all(|state| is_snake_case(state)), "{owner}: {name}");
                }
            }
        }
    }

    #[test]
    fn every_figure_says_what_it_is_in_sentences() {
        for Declared { owner, figures, .. } in everything() {
            for figure in figures {
                let doc = figure.doc;
                let begins_well = doc.starts_with(|c: char| c.is_uppercase());
                assert!(begins_well && doc.ends_with('.') && doc.len() > 10, "{owner}: {}: {doc}", figure.name);
            }
        }
    }

    #[test]
    fn no_owner_declares_a_name_twice_and_no_name_has_two_units() {
        let mut names = BTreeSet::new();
        let mut units: BTreeMap<&str, Unit> = BTreeMap::new();
        for Declared { group, owner, figures } in everything() {
            for figure in figures {
                assert!(names.insert((group, owner, figure.name)), "{owner} declares {} twice", figure.name);
                // Results do not say which owner a figure has, so that reading them back goes by the name.
                assert_eq!(*units.entry(figure.name).or_insert(figure.unit), figure.unit, "{owner}: {}", figure.name);
            }
        }
        assert!(names.len() > 20, "{names:?}");
    }

    /// All policies of a link report together.
    #[test]
    fn no_two_policies_declare_the_same_name() {
        let mut names = BTreeSet::new();
        for figure in policies::link_settings::FIGURES.iter().flat_map(|(_, figures)| *figures) {
            assert!(names.insert(figure.name), "{} is declared by two policies", figure.name);
        }
    }

    #[test]
    fn units_go_with_how_a_figure_is_measured() {
        for Declared { owner, figures, .. } in everything() {
            for figure in figures {
                let fits = match figure.merge {
                    Merge::Times => figure.unit == Unit::Seconds,
                    Merge::States(_) => figure.unit == Unit::Fraction,
                    Merge::Count => matches!(figure.unit, Unit::Count | Unit::Bytes | Unit::PerSecond),
                    Merge::Net => figure.unit == Unit::PerSecond,
                    Merge::Level | Merge::Gauge | Merge::Max | Merge::Peak => {
                        matches!(figure.unit, Unit::Count | Unit::Bytes | Unit::Seconds)
                    }
                    Merge::Ratio => figure.unit != Unit::Count,
                };
                assert!(fits, "{owner}: {figure:?}");
            }
        }
    }
}
