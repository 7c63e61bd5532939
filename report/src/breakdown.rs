//! How requests spent their time, in words.

use lab::result::{Breakdown, BreakdownPart, Spent};

use crate::units;

/// Minimum share of a part to be named.
const SHARE_MIN: f64 = 0.005;
/// Maximum number of parts named; more would hide the first ones.
const PARTS_MAX: usize = 4;

/// The position in the distribution around which requests are considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// The median.
    Median,
    /// The 99th percentile.
    Tail,
}

impl Around {
    /// Mean latency of these requests, s.
    pub(crate) fn latency_s(self, breakdown: &Breakdown) -> Option<f64> {
        match self {
            Around::Median => breakdown.p50_s,
            Around::Tail => breakdown.p99_s,
        }
    }

    fn part_s(self, part: &BreakdownPart) -> Option<f64> {
        match self {
            Around::Median => part.p50_s,
            Around::Tail => part.p99_s,
        }
    }
}

/// The name of a part: `service at db`, `back-off of api.db`. The network is one part for all calls.
pub(crate) fn name(part: &BreakdownPart) -> String {
    let place = &part.place;
    match part.what {
        Spent::Network => "network".to_owned(),
        Spent::Queue => format!("queueing at {place}"),
        Spent::Service => format!("service at {place}"),
        Spent::PoolWait => format!("pool wait of {place}"),
        Spent::LimitWait => format!("limit wait of {place}"),
        Spent::Connect => format!("connecting of {place}"),
        Spent::BackOff => format!("back-off of {place}"),
        Spent::LockWait => format!("lock wait at {place}"),
        Spent::Throttled => format!("throttled at {place}"),
        Spent::GivenUp => format!("given up at {place}"),
        Spent::Sharing => format!("sharing of {place}"),
    }
}

/// Names and times, s, of the parts of those requests' latency, the largest first.
pub(crate) fn parts(breakdown: &Breakdown, around: Around) -> Vec<(String, f64)> {
    let mut parts: Vec<(String, f64)> = Vec::new();
    for part in &breakdown.parts {
        let (name, spent) = (name(part), around.part_s(part).unwrap_or(0.0));
        match parts.iter_mut().find(|(of, _)| *of == name) {
            Some((_, sum)) => *sum += spent,
            None => parts.push((name, spent)),
        }
    }
    parts.sort_by(|one, other| other.1.total_cmp(&one.1));
    parts
}

/// The parts in one line: `77 % queueing at db, 20 % service at db, 3 % network`. `None` if the breakdown is unknown.
pub(crate) fn in_words(breakdown: &Breakdown, around: Around) -> Option<String> {
    let whole = around.latency_s(breakdown).filter(|whole| *whole > 0.0)?;
    let mut parts = parts(breakdown, around);
    parts.retain(|(_, spent)| *spent >= SHARE_MIN * whole);
    parts.truncate(PARTS_MAX);
    let rest = whole - parts.iter().map(|(_, spent)| spent).sum::<f64>();
    if rest >= SHARE_MIN * whole {
        parts.push(("the rest".to_owned(), rest));
    }
    let words = parts.into_iter().map(|(name, spent)| format!("{} {name}", units::share(spent / whole)));
    Some(words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(what: Spent, place: &str, p50_s: f64) -> BreakdownPart {
        BreakdownPart { what, place: place.to_owned(), p50_s: Some(p50_s), p99_s: None, bands_s: Vec::new() }
    }

    #[test]
    fn the_largest_parts_are_named_and_the_network_is_one() {
        let mut breakdown = Breakdown {
            sampled: 100,
            p50_s: Some(0.1),
            p99_s: None,
            bands: Vec::new(),
            parts: vec![
                part(Spent::Service, "db", 0.03),
                part(Spent::Network, "api.db", 0.02),
                part(Spent::Network, "w.call", 0.02),
                part(Spent::GivenUp, "db", 0.015),
                part(Spent::BackOff, "api.db", 0.01),
                part(Spent::Queue, "api", 0.0049),
                part(Spent::LockWait, "api", 0.0001),
            ],
        };
        let words = "40 % network, 30 % service at db, 15 % given up at db, 10 % back-off of api.db, 5.0 % the rest";
        assert_eq!(in_words(&breakdown, Around::Median).as_deref(), Some(words));
        assert_eq!(in_words(&breakdown, Around::Tail), None);
        breakdown.parts.truncate(1);
        breakdown.parts[0].p50_s = Some(0.1);
        assert_eq!(in_words(&breakdown, Around::Median).as_deref(), Some("100 % service at db"));
    }
}
