//! The figures that nodes declare, in the form of results and snapshots: by path, with unit and value.

use std::ops::Index;

use indexmap::IndexMap;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sim_core::figures::{Dimension, Merge, Unit, Value};
use sim_core::histogram::Histogram;
use sim_core::time::SECOND;
use sim_core::{Figure, Figures, Outcome, Span, slots};

/// Suffix of the names of times in the JSON result.
const SECONDS_SUFFIX: &str = "_s";

/// Percentiles of a latency; `None` where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Arithmetic mean.
    pub mean_s: Option<f64>,
    /// Median.
    pub p50_s: Option<f64>,
    /// 90th percentile.
    pub p90_s: Option<f64>,
    /// 95th percentile.
    pub p95_s: Option<f64>,
    /// 99th percentile.
    pub p99_s: Option<f64>,
    /// 99.9th percentile.
    pub p999_s: Option<f64>,
    /// Largest value.
    pub max_s: Option<f64>,
    /// Number of values measured.
    pub count: u64,
}

/// The value of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// A number.
    Number {
        /// In its unit; `None` where it cannot be known.
        value: Option<f64>,
        /// Its unit.
        unit: Unit,
        /// Whether the JSON result writes it as a whole number (`20`, not `20.0`).
        is_whole: bool,
    },
    /// Durations.
    Times(Latency),
}

impl Reading {
    /// A number.
    pub fn number(value: Option<f64>, unit: Unit) -> Reading {
        Reading::Number { value, unit, is_whole: false }
    }

    /// A whole number of things.
    pub fn count(count: u64) -> Reading {
        Reading::Number { value: Some(count as f64), unit: Unit::Count, is_whole: true }
    }

    /// The numbers it consists of: the suffix of the metric's name, the value and the unit.
    pub fn parts(&self) -> Vec<(&'static str, Option<f64>, Unit)> {
        match self {
            Reading::Number { value, unit, .. } => vec![("", *value, *unit)],
            Reading::Times(times) => {
                let of = |part: &(&'static str, OfLatency)| (part.0, part.1(times), Unit::Seconds);
                TIMES.iter().map(of).chain([("count", Some(times.count as f64), Unit::Count)]).collect()
            }
        }
    }
}

/// Takes one figure out of a distribution of times.
type OfLatency = fn(&Latency) -> Option<f64>;

/// The figures that summarise a distribution of times.
const TIMES: [(&str, OfLatency); 7] = [
    ("mean", |times| times.mean_s),
    ("p50", |times| times.p50_s),
    ("p90", |times| times.p90_s),
    ("p95", |times| times.p95_s),
    ("p99", |times| times.p99_s),
    ("p999", |times| times.p999_s),
    ("max", |times| times.max_s),
];

fn seconds(ns: f64) -> f64 {
    ns / SECOND as f64
}

/// Summarises a histogram of nanoseconds.
pub(crate) fn latency(histogram: &Histogram) -> Latency {
    let quantile = |p: f64| histogram.quantile(p).map(|v| seconds(v as f64));
    Latency {
        mean_s: histogram.mean().map(seconds),
        p50_s: quantile(0.5),
        p90_s: quantile(0.9),
        p95_s: quantile(0.95),
        p99_s: quantile(0.99),
        p999_s: quantile(0.999),
        max_s: histogram.max().map(|v| seconds(v as f64)),
        count: histogram.count(),
    }
}

/// Converts a sum of a unit's values to that unit: times are reported in nanoseconds.
fn scaled(value: f64, unit: Unit) -> f64 {
    match unit {
        Unit::Seconds => seconds(value),
        Unit::PerSecond | Unit::Fraction | Unit::Count | Unit::Bytes | Unit::Number => value,
    }
}

/// A part divided by its whole; shares are capped at 1 against rounding.
fn quotient(part: u128, whole: u128, unit: Unit) -> Option<f64> {
    let quotient = (whole > 0).then(|| scaled(part as f64, unit) / whole as f64);
    if unit == Unit::Fraction { quotient.map(|share| share.min(1.0)) } else { quotient }
}

/// The average over `span_s` seconds of a gauge whose integral is in value times nanoseconds; 0 if the span is empty.
pub(crate) fn time_average(integral: u128, span_s: f64) -> f64 {
    if span_s > 0.0 { integral as f64 / (span_s * SECOND as f64) } else { 0.0 }
}

/// Arrivals minus departures per second; `None` for a span of no length.
fn net_rate(now: (u64, u64), before: (u64, u64), span_s: f64) -> Option<f64> {
    let (came, went) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
    (span_s > 0.0).then(|| (came as f64 - went as f64) / span_s)
}

/// The quotient of a figure that is a ratio; `None` for other figures.
pub(crate) fn ratio(figures: &Figures, figure: &Figure) -> Option<f64> {
    match figures.get(figure)? {
        Value::Ratio { part, whole } => quotient(*part, *whole, figure.unit),
        _ => None,
    }
}

/// The time average of a figure that is a gauge; 0 where nothing was reported.
pub(crate) fn average(figures: &Figures, figure: &Figure, span_s: f64) -> f64 {
    match figures.get(figure) {
        Some(Value::Gauge { integral, .. }) => time_average(*integral, span_s),
        _ => 0.0,
    }
}

/// The largest value that a figure has had so far.
pub(crate) fn most(figures: &Figures, figure: &Figure) -> Option<f64> {
    match figures.get(figure)? {
        Value::Peak { most, .. } => Some(scaled(*most as f64, figure.unit)),
        _ => None,
    }
}

/// Figures that kinds of components, policies and workloads declare, by path: `hit_ratio`, `pool.active`. Figures with a
/// field of their own in the result, such as the utilisation, are not included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    readings: IndexMap<String, Reading>,
}

impl Own {
    /// From the figures of the `span_s` seconds since the measurement began.
    pub(crate) fn over(figures: &Figures, span_s: f64) -> Own {
        Own::of(figures, Some(span_s))
    }

    /// The figures at this instant: gauges show their current value, and states the number of replicas in each.
    pub(crate) fn now(figures: &Figures) -> Own {
        Own::of(figures, None)
    }

    fn of(figures: &Figures, span_s: Option<f64>) -> Own {
        let mut own = Own::default();
        for (figure, value) in figures.iter().filter(|(figure, _)| !has_a_place_of_its_own(figure)) {
            own.add(figure, value, span_s);
        }
        own
    }

    fn add(&mut self, figure: &Figure, value: &Value, span_s: Option<f64>) {
        let unit = figure.unit;
        let mut number = |value: Option<f64>, is_whole: bool| {
            self.readings.insert(figure.name.to_string(), Reading::Number { value, unit, is_whole });
        };
        match value {
            // Format 1 writes the counts of a kind as `12.0`, but counts in a group such as `pool` as `12`.
            Value::Count(count) | Value::Level(count) => {
                number(Some(scaled(*count as f64, unit)), unit == Unit::Count && figure.name.contains('.'));
            }
            Value::Net { came, went } => {
                number(span_s.and_then(|span_s| net_rate((*came, *went), (0, 0), span_s)), false);
            }
            Value::Gauge { now, integral } => {
                let value = span_s.map_or(*now as f64, |span_s| time_average(*integral, span_s));
                number(Some(scaled(value, unit)), false);
            }
            Value::Ratio { part, whole } => number(quotient(*part, *whole, unit), false),
            Value::Ratios(ratios) => {
                for of_op in ratios {
                    let value = quotient(of_op.part, of_op.whole, unit);
                    self.insert(&format!("{}.{}", figure.name, of_op.op), unit, value);
                }
            }
            Value::Max(value) => number(value.map(|value| scaled(value as f64, unit)), false),
            Value::Peak { now, most } => {
                let value = if span_s.is_some() { Some(*most) } else { *now };
                number(value.map(|value| scaled(value as f64, unit)), false);
            }
            Value::Outcomes(counts) => {
                for (outcome, count) in Outcome::ALL.iter().zip(counts) {
                    self.insert(&format!("{}.{}", figure.name, outcome.name()), unit, Some(*count as f64));
                }
            }
            Value::Times(times) => {
                self.readings.insert(figure.name.to_string(), Reading::Times(latency(times)));
            }
            Value::States(states) => {
                let Merge::States(names) = figure.merge else { return };
                let all: u128 = states.iter().map(|state| state.spent).sum();
                for (state, name) in states.iter().zip(names) {
                    let path = format!("{}.{name}", figure.name);
                    match span_s {
                        Some(_) => self.insert(&path, unit, quotient(state.spent, all, unit)),
                        None => self.insert(&path, Unit::Count, Some(state.now as f64)),
                    }
                }
            }
        }
    }

    /// Sets the number at a path.
    pub fn insert(&mut self, path: &str, unit: Unit, value: Option<f64>) {
        self.readings.insert(path.to_string(), Reading::number(value, unit));
    }

    /// Sets any reading at a path.
    pub fn set(&mut self, path: &str, reading: Reading) {
        self.readings.insert(path.to_string(), reading);
    }

    /// The reading at a path; parts of times are not found here.
    pub fn get(&self, path: &str) -> Option<&Reading> {
        self.readings.get(path)
    }

    /// The value of a metric's path, parts of times included: `pool.wait.p99`. `None` if the path does not exist or its value
    /// is not known.
    pub fn value(&self, path: &str) -> Option<f64> {
        if let Some(Reading::Number { value, .. }) = self.readings.get(path) {
            return *value;
        }
        let (name, part) = path.rsplit_once('.')?;
        let parts = self.readings.get(name)?.parts();
        parts.into_iter().find(|(name, _, _)| *name == part)?.1
    }

    /// All readings, in the order in which they were reported.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Reading)> {
        self.readings.iter().map(|(path, reading)| (path.as_str(), reading))
    }
}

impl Index<&str> for Own {
    type Output = f64;

    /// # Panics
    /// If there is no number at the path.
    fn index(&self, path: &str) -> &f64 {
        match self.readings.get(path) {
            Some(Reading::Number { value: Some(value), .. }) => value,
            other => panic!("`{path}` is {other:?}, of {:?}", self.readings.keys()),
        }
    }
}

/// Whether results and snapshots show the figure in a field of its own.
fn has_a_place_of_its_own(figure: &Figure) -> bool {
    figure.is_for_screens || slots::FIGURES.iter().any(|other| other.name == figure.name)
}

// As JSON: dots in a path nest, and times end in `_s`. An unknown number is left out, unless it belongs to a group.

/// Readings whose paths share a prefix, with the rest of each path.
struct Nested<'a> {
    entries: Vec<(&'a str, &'a Reading)>,
    is_group: bool,
}

impl<'a> Nested<'a> {
    /// Writes the entries into a map; a group takes the position of its first entry.
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let mut groups: Vec<&str> = Vec::new();
        for (path, reading) in &self.entries {
            match (path.split_once('.'), reading) {
                (Some((group, _)), _) if groups.contains(&group) => {}
                (Some((group, _)), _) => {
                    groups.push(group);
                    map.serialize_entry(group, &self.group(group))?;
                }
                (None, Reading::Times(times)) => map.serialize_entry(path, times)?,
                (None, Reading::Number { value, unit, is_whole }) => {
                    let suffix = if *unit == Unit::Seconds { SECONDS_SUFFIX } else { "" };
                    let key = format!("{path}{suffix}");
                    match value {
                        Some(value) if *is_whole => map.serialize_entry(&key, &(*value as u64))?,
                        None if !self.is_group => {}
                        value => map.serialize_entry(&key, value)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn group(&self, group: &str) -> Nested<'a> {
        let inside = |(path, reading): &(&'a str, &'a Reading)| {
            let rest = path.strip_prefix(group)?.strip_prefix('.')?;
            Some((rest, *reading))
        };
        Nested { entries: self.entries.iter().filter_map(inside).collect(), is_group: true }
    }
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}

impl Serialize for Own {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested { entries: self.iter().collect(), is_group: false }.serialize(serializer)
    }
}

/// The key that format 1 writes first for every link: `null` where there is no pool.
const POOL: &str = "pool";

/// Writes the figures of a link.
pub(crate) fn of_link<S: Serializer>(own: &Own, serializer: S) -> Result<S::Ok, S::Error> {
    let is_of_pool = |path: &str| path.split('.').next() == Some(POOL);
    let (pool, rest): (Vec<_>, Vec<_>) = own.iter().partition(|(path, _)| is_of_pool(path));
    let mut map = serializer.serialize_map(None)?;
    match pool.is_empty() {
        true => map.serialize_entry(POOL, &None::<f64>)?,
        false => Nested { entries: pool, is_group: false }.write(&mut map)?,
    }
    Nested { entries: rest, is_group: false }.write(&mut map)?;
    map.end()
}

/// A value in the JSON of a group of figures.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tree {
    Whole(u64),
    Number(f64),
    Group(IndexMap<String, Option<Tree>>),
}

impl<'de> Deserialize<'de> for Own {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Own, D::Error> {
        let mut own = Own::default();
        own.read("", IndexMap::deserialize(deserializer)?);
        Ok(own)
    }
}

impl Own {
    fn read(&mut self, group: &str, entries: IndexMap<String, Option<Tree>>) {
        for (key, tree) in entries {
            // The names of operations are anything.
            let is_op = models::figures::find(group).is_some_and(|figure| figure.by == Some(Dimension::Op));
            let bare = key.strip_suffix(SECONDS_SUFFIX).filter(|_| !is_op).unwrap_or(&key);
            let path = if group.is_empty() { bare.to_string() } else { format!("{group}.{bare}") };
            let unit = unit_of(&path, &key);
            let number = |value, is_whole| Reading::Number { value, unit, is_whole };
            let reading = match tree {
                Some(Tree::Whole(value)) => number(Some(value as f64), true),
                Some(Tree::Number(value)) => number(Some(value), false),
                Some(Tree::Group(entries)) => match times(&entries) {
                    Some(times) => Reading::Times(times),
                    None => {
                        self.read(&path, entries);
                        continue;
                    }
                },
                None if group.is_empty() => continue,
                None => number(None, false),
            };
            self.readings.insert(path, reading);
        }
    }
}

/// The unit in the declaration; for an undeclared figure, written by another version, the unit that its name suggests.
fn unit_of(path: &str, key: &str) -> Unit {
    let of_state = || path.rsplit_once('.').and_then(|(name, _)| models::figures::find(name));
    match models::figures::find(path).or_else(of_state) {
        Some(figure) => figure.unit,
        None if key.ends_with(SECONDS_SUFFIX) => Unit::Seconds,
        None => Unit::Number,
    }
}

/// Reads a group that has exactly the keys of a distribution of times.
fn times(entries: &IndexMap<String, Option<Tree>>) -> Option<Latency> {
    let value = |key: &str| match entries.get(key)? {
        Some(Tree::Whole(value)) => Some(Some(*value as f64)),
        Some(Tree::Number(value)) => Some(Some(*value)),
        Some(Tree::Group(_)) => None,
        None => Some(None),
    };
    if entries.len() != TIMES.len() + 1 {
        return None;
    }
    Some(Latency {
        mean_s: value("mean_s")?,
        p50_s: value("p50_s")?,
        p90_s: value("p90_s")?,
        p95_s: value("p95_s")?,
        p99_s: value("p99_s")?,
        p999_s: value("p999_s")?,
        max_s: value("max_s")?,
        count: value("count")?? as u64,
    })
}

// Figures over time.

/// The part of a figure shown in a column of the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// Its value.
    Whole,
    /// The mean of the times.
    Mean,
    /// A quantile of the times.
    Quantile(f64),
    /// The longest time.
    Longest,
    /// The number of times.
    Count,
    /// The share of a state.
    State(usize),
    /// Events with one outcome.
    Outcome(Outcome),
    /// That of one operation, by its place in the report.
    Op(usize),
}

/// The parts of a figure, each with its name, as far as the declaration and a report of it tell.
pub(crate) fn parts(figure: &Figure, reported: Option<&Value>) -> Vec<(String, Part)> {
    let times = [
        ("mean", Part::Mean),
        ("p50", Part::Quantile(0.5)),
        ("p90", Part::Quantile(0.9)),
        ("p95", Part::Quantile(0.95)),
        ("p99", Part::Quantile(0.99)),
        ("p999", Part::Quantile(0.999)),
        ("max", Part::Longest),
        ("count", Part::Count),
    ];
    let named = |part: &str| format!("{}.{part}", figure.name);
    if let Some(Value::Ratios(ratios)) = reported {
        return ratios.iter().enumerate().map(|(at, of_op)| (named(&of_op.op), Part::Op(at))).collect();
    }
    match figure.merge {
        Merge::Count if figure.by == Some(Dimension::Outcome) => {
            Outcome::ALL.iter().map(|outcome| (named(outcome.name()), Part::Outcome(*outcome))).collect()
        }
        Merge::Times => times.into_iter().map(|(name, part)| (named(name), part)).collect(),
        Merge::States(states) => states.iter().enumerate().map(|(at, name)| (named(name), Part::State(at))).collect(),
        Merge::Count | Merge::Net | Merge::Level | Merge::Gauge | Merge::Ratio | Merge::Max | Merge::Peak => {
            vec![(figure.name.to_string(), Part::Whole)]
        }
    }
}

/// The name of a column: the metric's path, followed by the unit if it is a time.
pub(crate) fn column(figure: &Figure, path: &str, part: Part) -> String {
    let is_time = figure.unit == Unit::Seconds && part != Part::Count;
    format!("{path}{}", if is_time { SECONDS_SUFFIX } else { "" })
}

/// A figure in a window of `span` nanoseconds, from the reports at its beginning and at its end.
pub(crate) fn in_window(figure: &Figure, part: Part, before: &Figures, now: &Figures, span: Span) -> Option<f64> {
    let unit = figure.unit;
    let before = before.get(figure);
    match (now.get(figure)?, before) {
        (Value::Count(now), before) => {
            let earlier = if let Some(Value::Count(earlier)) = before { *earlier } else { 0 };
            (span > 0).then(|| scaled(now.saturating_sub(earlier) as f64, unit) / seconds(span as f64))
        }
        (Value::Net { came, went }, before) => {
            let earlier = if let Some(Value::Net { came, went }) = before { (*came, *went) } else { (0, 0) };
            net_rate((*came, *went), earlier, seconds(span as f64))
        }
        (Value::Level(now), _) => Some(scaled(*now as f64, unit)),
        (Value::Gauge { now, .. }, _) if figure.is_sampled => Some(scaled(*now as f64, unit)),
        (Value::Gauge { integral, .. }, before) => {
            let earlier = if let Some(Value::Gauge { integral, .. }) = before { *integral } else { 0 };
            (span > 0).then(|| scaled(integral.saturating_sub(earlier) as f64 / span as f64, unit))
        }
        (Value::Ratio { part, whole }, before) => {
            let (earlier, of) = if let Some(Value::Ratio { part, whole }) = before { (*part, *whole) } else { (0, 0) };
            quotient(part.saturating_sub(earlier), whole.saturating_sub(of), unit)
        }
        (Value::Ratios(now), before) => {
            let Part::Op(at) = part else { return None };
            let earlier = if let Some(Value::Ratios(earlier)) = before { earlier.get(at) } else { None };
            let (earlier, of) = earlier.map_or((0, 0), |earlier| (earlier.part, earlier.whole));
            let now = now.get(at)?;
            quotient(now.part.saturating_sub(earlier), now.whole.saturating_sub(of), unit)
        }
        (Value::Max(most), _) => most.map(|most| scaled(most as f64, unit)),
        (Value::Peak { now, .. }, _) => Some(scaled(now.unwrap_or(0) as f64, unit)),
        (Value::Outcomes(now), before) => {
            let Part::Outcome(outcome) = part else { return None };
            let earlier = if let Some(Value::Outcomes(earlier)) = before { earlier[outcome as usize] } else { 0 };
            (span > 0).then(|| now[outcome as usize].saturating_sub(earlier) as f64 / seconds(span as f64))
        }
        (Value::Times(now), before) => {
            let nothing = Histogram::new();
            let earlier = if let Some(Value::Times(earlier)) = before { earlier } else { &nothing };
            let added = now.since(earlier);
            match part {
                Part::Mean => added.mean().map(seconds),
                Part::Quantile(quantile) => added.quantile(quantile).map(|value| seconds(value as f64)),
                Part::Longest => added.max().map(|value| seconds(value as f64)),
                Part::Count => (span > 0).then(|| added.count() as f64 / seconds(span as f64)),
                Part::Whole | Part::State(_) | Part::Outcome(_) | Part::Op(_) => None,
            }
        }
        (Value::States(now), before) => {
            let Part::State(at) = part else { return None };
            let nothing = Vec::new();
            let earlier = if let Some(Value::States(earlier)) = before { earlier } else { &nothing };
            let spent = |at: usize| now[at].spent.saturating_sub(earlier.get(at).map_or(0, |state| state.spent));
            quotient(spent(at), (0..now.len()).map(spent).sum(), unit)
        }
    }
}

#[cfg(test)]
mod tests;
