//! Breakdowns of latency: converts the engine's sample to seconds and names, and averages several runs.

use std::collections::BTreeSet;

use sim_core::Engine;
use sim_core::breakdown::{Around, Breakdown as Sample, Part};
use sim_core::time::SECOND;

use models::network::Node;

use crate::result::{Breakdown, BreakdownBand, BreakdownPart, Spent};

/// Minimum sample sizes for a breakdown: a tenth of the requests represent the median, a hundredth the 99th percentile.
const MEDIAN_LEAST: u64 = 20;
const TAIL_LEAST: u64 = 200;
/// Ends of the percentile bands, in thousandths; narrower towards the tail, which matters most.
const EDGES: [usize; 14] = [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950, 980, 990, 1000];
/// Bands that end above this need as many requests as the tail does.
const TAIL_FROM: usize = 900;

/// The engine's category of time as results name it.
pub(crate) fn spent_on(what: sim_core::Spent) -> Spent {
    match what {
        sim_core::Spent::Network => Spent::Network,
        sim_core::Spent::Queue => Spent::Queue,
        sim_core::Spent::Service => Spent::Service,
        sim_core::Spent::PoolWait => Spent::PoolWait,
        sim_core::Spent::LimitWait => Spent::LimitWait,
        sim_core::Spent::Connect => Spent::Connect,
        sim_core::Spent::BackOff => Spent::BackOff,
        sim_core::Spent::LockWait => Spent::LockWait,
        sim_core::Spent::Throttled => Spent::Throttled,
        sim_core::Spent::GivenUp => Spent::GivenUp,
        sim_core::Spent::Sharing => Spent::Sharing,
    }
}

/// Mean seconds of requests around a quantile.
fn mean_s(around: &Around, sum: u128) -> f64 {
    sum as f64 / around.requests as f64 / SECOND as f64
}

fn part_s(around: &Around, part: Part) -> f64 {
    let sum = around.parts.iter().find(|(of, _)| *of == part).map_or(0, |(_, sum)| *sum);
    mean_s(around, sum)
}

/// The breakdown of a sample.
pub(crate) fn of_sample(sample: &Sample, engine: &Engine<Node>) -> Breakdown {
    let mut asked = vec![(450, 550, MEDIAN_LEAST), (985, 995, TAIL_LEAST)];
    asked.extend(
        EDGES.windows(2).map(|pair| (pair[0], pair[1], if pair[1] > TAIL_FROM { TAIL_LEAST } else { MEDIAN_LEAST })),
    );
    let quantiles: Vec<(usize, usize)> = asked.iter().map(|(low, high, _)| (*low, *high)).collect();
    let mut found = asked
        .into_iter()
        .zip(sample.between(&quantiles))
        .map(|((low, high, least), around)| (sample.requests() >= least).then_some((low, high, around)));
    let median = found.next().flatten().map(|(_, _, around)| around);
    let tail = found.next().flatten().map(|(_, _, around)| around);
    let bands: Vec<(usize, usize, Around)> = found.flatten().collect();
    let all = median.iter().chain(&tail).chain(bands.iter().map(|(_, _, around)| around));
    let found: BTreeSet<Part> = all.flat_map(|around| around.parts.iter().map(|(part, _)| *part)).collect();
    let parts = found.into_iter().map(|part| BreakdownPart {
        what: spent_on(part.what),
        place: engine.group_name(part.place).to_string(),
        p50_s: median.as_ref().map(|around| part_s(around, part)),
        p99_s: tail.as_ref().map(|around| part_s(around, part)),
        bands_s: bands.iter().map(|(_, _, around)| part_s(around, part)).collect(),
    });
    let mut breakdown = Breakdown {
        sampled: sample.requests(),
        p50_s: median.as_ref().map(|around| mean_s(around, around.latency)),
        p99_s: tail.as_ref().map(|around| mean_s(around, around.latency)),
        bands: bands
            .iter()
            .map(|(low, high, around)| BreakdownBand {
                from: *low as f64 / 1000.0,
                to: *high as f64 / 1000.0,
                latency_s: mean_s(around, around.latency),
            })
            .collect(),
        parts: parts.collect(),
    };
    sort(&mut breakdown);
    breakdown
}

/// Sorts the parts by their size at the 99th percentile, or else at the median, largest first.
fn sort(breakdown: &mut Breakdown) {
    let size = |part: &BreakdownPart| part.p99_s.or(part.p50_s).unwrap_or(0.0);
    breakdown.parts.sort_by(|one, other| size(other).total_cmp(&size(one)));
}

/// The mean of the breakdowns of several runs: each run uses its own percentiles, and all runs have equal weight. A run
/// whose sample is too small for a percentile is left out of it. A part that a run lacks counts as zero there, so that the
/// parts still add up to the latency.
pub(crate) fn mean_of(runs: &[&Breakdown]) -> Breakdown {
    let mean = |known: &dyn Fn(&Breakdown) -> bool, value: &dyn Fn(&Breakdown) -> f64| {
        let values: Vec<f64> = runs.iter().filter(|run| known(run)).map(|run| value(run)).collect();
        crate::statistics::mean(&values)
    };
    let names: BTreeSet<(String, u8)> =
        runs.iter().flat_map(|run| run.parts.iter().map(|part| (part.place.clone(), part.what as u8))).collect();
    let of = |run: &Breakdown, (place, what): &(String, u8)| -> Option<BreakdownPart> {
        run.parts.iter().find(|part| part.place == *place && part.what as u8 == *what).cloned()
    };
    // Leave out bands that only some runs have: their mean would describe other runs.
    let bands = runs.iter().map(|run| run.bands.len()).min().unwrap_or(0);
    let band = |index: usize, value: &dyn Fn(&Breakdown) -> f64| mean(&|run| run.bands.len() > index, value);
    let parts = names.iter().filter_map(|name| {
        let first = runs.iter().find_map(|run| of(run, name))?;
        let in_run = |run: &Breakdown, value: &dyn Fn(&BreakdownPart) -> Option<f64>| {
            of(run, name).and_then(|part| value(&part)).unwrap_or(0.0)
        };
        Some(BreakdownPart {
            what: first.what,
            place: first.place,
            p50_s: mean(&|run| run.p50_s.is_some(), &|run| in_run(run, &|part| part.p50_s)),
            p99_s: mean(&|run| run.p99_s.is_some(), &|run| in_run(run, &|part| part.p99_s)),
            bands_s: (0..bands)
                .filter_map(|index| band(index, &|run| in_run(run, &|part| part.bands_s.get(index).copied())))
                .collect(),
        })
    });
    let mut breakdown = Breakdown {
        sampled: runs.iter().map(|run| run.sampled).sum(),
        p50_s: mean(&|run| run.p50_s.is_some(), &|run| run.p50_s.unwrap_or(0.0)),
        p99_s: mean(&|run| run.p99_s.is_some(), &|run| run.p99_s.unwrap_or(0.0)),
        bands: (0..bands)
            .filter_map(|index| {
                let first = runs.first()?.bands.get(index)?;
                Some(BreakdownBand { latency_s: band(index, &|run| run.bands[index].latency_s)?, ..*first })
            })
            .collect(),
        parts: parts.collect(),
    };
    sort(&mut breakdown);
    breakdown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(parts: &[(Spent, &str, f64)]) -> Breakdown {
        let whole: f64 = parts.iter().map(|(_, _, s)| s).sum();
        Breakdown {
            sampled: 100,
            p50_s: Some(whole),
            p99_s: None,
            bands: vec![BreakdownBand { from: 0.0, to: 0.1, latency_s: whole }],
            parts: parts
                .iter()
                .map(|(what, place, s)| BreakdownPart {
                    what: *what,
                    place: (*place).to_owned(),
                    p50_s: Some(*s),
                    p99_s: None,
                    bands_s: vec![*s],
                })
                .collect(),
        }
    }

    #[test]
    fn the_mean_of_runs_adds_up_though_a_part_is_missing_in_one() {
        let one = run(&[(Spent::Service, "db", 3.0), (Spent::Queue, "db", 1.0)]);
        let other = run(&[(Spent::Service, "db", 5.0), (Spent::Network, "w.db", 2.0)]);
        let mean = mean_of(&[&one, &other]);
        assert_eq!((mean.sampled, mean.p50_s, mean.p99_s), (200, Some(5.5), None));
        let found: Vec<(Spent, f64)> = mean.parts.iter().map(|part| (part.what, part.p50_s.unwrap_or(0.0))).collect();
        assert_eq!(found, [(Spent::Service, 4.0), (Spent::Network, 1.0), (Spent::Queue, 0.5)]);
        assert_eq!(mean.bands[0].latency_s, mean.parts.iter().map(|part| part.bands_s[0]).sum::<f64>());
    }

    #[test]
    fn a_run_with_too_small_a_sample_says_nothing() {
        let known = run(&[(Spent::Service, "db", 3.0)]);
        let empty = Breakdown::default();
        let mean = mean_of(&[&known, &empty]);
        assert_eq!((mean.p50_s, mean.parts[0].p50_s), (Some(3.0), Some(3.0)));
        assert!(mean.bands.is_empty() && mean.parts[0].bands_s.is_empty());
    }
}
