//! Figures that nodes report about themselves.
//!
//! Code that measures a quantity declares it once, as a constant [`Figure`] beside the measurement, and reports values
//! against the declaration. Everything else follows from the declaration: how the values of several replicas are
//! merged, its name and unit in the result, metrics, time series, reports and screens, and its description in the
//! reference.
//!
//! ```
//! use sim_core::figures::{Figure, Figures, Value};
//!
//! const HITS: Figure = Figure::count("hits", "Calls answered from memory.");
//! const HIT_RATIO: Figure = Figure::share("hit_ratio", "Share of the calls answered from memory.");
//!
//! let mut figures = Figures::default();
//! for (hits, calls) in [(3_u64, 4_u64), (1, 4)] {
//!     figures.count(&HITS, hits);
//!     figures.ratio(&HIT_RATIO, hits, calls);
//! }
//! assert_eq!(figures.get(&HITS), Some(&Value::Count(4)));
//! assert_eq!(figures.get(&HIT_RATIO), Some(&Value::Ratio { part: 4, whole: 8 }));
//! ```
//!
//! Values are integers, so that merging is exact and replicas can be grouped in any way.

use std::sync::Arc;

use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::outcome::Outcome;

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A time in seconds. Values are reported in nanoseconds.
    Seconds,
    /// A rate per second.
    PerSecond,
    /// A share between 0 and 1.
    Fraction,
    /// A count.
    Count,
    /// Memory.
    Bytes,
    /// A number without a unit, such as a factor.
    Number,
}

/// The kind of measurement, which determines how the figures of several replicas are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Events since the end of the warm-up: summed. As a time series: events per second.
    Count,
    /// Arrivals minus departures since the end of the warm-up, per second: both are summed. Can be negative.
    Net,
    /// A number at this instant: summed.
    Level,
    /// A number averaged over time: integrals are summed.
    Gauge,
    /// A part of a whole: parts and wholes are summed. Unknown while the whole is 0.
    Ratio,
    /// The maximum over replicas. Unknown if no replica has a value.
    Max,
    /// The maximum over replicas and over time since the end of the warm-up. As a time series: the value at the end of
    /// each window.
    Peak,
    /// Durations: their histograms are merged.
    Times,
    /// One of these states at a time: the time spent in each is summed and becomes a share.
    States(&'static [&'static str]),
}

/// A dimension by which a figure is broken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Outcomes of calls: one value per outcome.
    Outcome,
    /// Operations: one value for each that its owner tells apart, by name.
    Op,
}

/// The declaration of a figure.
#[derive(Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its path within its component or link, without a unit: `hit_ratio`, `pool.active`.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// How it is measured and merged.
    pub merge: Merge,
    /// The breakdown, if any; the name of the value follows that of the figure: `outcomes.timeout`.
    pub by: Option<Dimension>,
    /// Whether every run records it as a time series; others are recorded on request.
    pub is_kept: bool,
    /// Whether its time series holds the value at the end of each window, not the window's mean.
    pub is_sampled: bool,
    /// Whether only the screen shows it, and the result omits it.
    pub is_for_screens: bool,
    /// Its description, in one sentence.
    pub doc: &'static str,
}

/// Figures that are reported together.
pub type Set = &'static [&'static Figure];

impl Figure {
    const fn new(name: &'static str, unit: Unit, merge: Merge, doc: &'static str) -> Figure {
        Figure { name, unit, merge, by: None, is_kept: false, is_sampled: false, is_for_screens: false, doc }
    }

    /// Events since the end of the warm-up.
    pub const fn count(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Count, doc)
    }

    /// Net growth, per second.
    pub const fn growth(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::PerSecond, Merge::Net, doc)
    }

    /// A number at this instant.
    pub const fn level(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Level, doc)
    }

    /// A number averaged over time.
    pub const fn gauge(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Gauge, doc)
    }

    /// A share of a whole, 0 to 1.
    pub const fn share(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Fraction, Merge::Ratio, doc)
    }

    /// A sum divided by a number of items.
    pub const fn mean(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Number, Merge::Ratio, doc)
    }

    /// A maximum over replicas.
    pub const fn max(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Max, doc)
    }

    /// A maximum over replicas and time.
    pub const fn peak(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Peak, doc)
    }

    /// Durations, ns: their mean, percentiles, maximum and number.
    pub const fn times(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Seconds, Merge::Times, doc)
    }

    /// Shares of the time spent in each of these states; `name.state` is the share of one.
    pub const fn states(name: &'static str, states: &'static [&'static str], doc: &'static str) -> Figure {
        Figure::new(name, Unit::Fraction, Merge::States(states), doc)
    }

    /// The same, with values that are times, ns.
    pub const fn in_seconds(self) -> Figure {
        Figure { unit: Unit::Seconds, ..self }
    }

    /// The same, with values that are bytes.
    pub const fn in_bytes(self) -> Figure {
        Figure { unit: Unit::Bytes, ..self }
    }

    /// The same, with values that are rates.
    pub const fn per_second(self) -> Figure {
        Figure { unit: Unit::PerSecond, ..self }
    }

    /// The same for each value of a dimension.
    pub const fn by(self, dimension: Dimension) -> Figure {
        Figure { by: Some(dimension), ..self }
    }

    /// The same, recorded as a time series by every run.
    pub const fn kept(self) -> Figure {
        Figure { is_kept: true, ..self }
    }

    /// The same, with a time series of the values at the end of each window.
    pub const fn sampled(self) -> Figure {
        Figure { is_sampled: true, ..self }
    }

    /// The same, shown only by the screen.
    pub const fn for_screens(self) -> Figure {
        Figure { is_for_screens: true, ..self }
    }
}

/// The value reported for a figure, by one replica or several.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Events.
    Count(u64),
    /// Arrivals and departures.
    Net {
        /// Number of arrivals.
        came: u64,
        /// Number of departures.
        went: u64,
    },
    /// The current number.
    Level(u64),
    /// The current number, and its integral since the end of the warm-up in nanoseconds.
    Gauge {
        /// The current value.
        now: u64,
        /// Value times nanoseconds.
        integral: u128,
    },
    /// A part of a whole.
    Ratio {
        /// The part.
        part: u128,
        /// The whole.
        whole: u128,
    },
    /// Parts of wholes by operation.
    Ratios(Vec<OfOp>),
    /// The maximum; `None` if there is no value.
    Max(Option<u64>),
    /// The maximum now, `None` if there is no value, and over time.
    Peak {
        /// The current maximum.
        now: Option<u64>,
        /// The maximum since the end of the warm-up.
        most: u64,
    },
    /// Events by outcome, in the order of [`Outcome::ALL`].
    Outcomes([u64; Outcome::COUNT]),
    /// Durations in nanoseconds.
    Times(Box<Histogram>),
    /// The values of each state, in the order of the declaration.
    States(Vec<InState>),
}

/// A part of a whole for one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfOp {
    /// The operation's name.
    pub op: Arc<str>,
    /// The part.
    pub part: u128,
    /// The whole.
    pub whole: u128,
}

/// Replicas in a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InState {
    /// The number of replicas currently in it.
    pub now: u64,
    /// Total time that replicas have spent in it since the end of the warm-up, ns.
    pub spent: u128,
}

impl Value {
    fn add(&mut self, other: &Value) {
        match (self, other) {
            (Value::Count(sum), Value::Count(more)) | (Value::Level(sum), Value::Level(more)) => *sum += more,
            (Value::Net { came, went }, Value::Net { came: more, went: less }) => {
                *came += more;
                *went += less;
            }
            (Value::Gauge { now, integral }, Value::Gauge { now: more, integral: area }) => {
                *now += more;
                *integral += area;
            }
            (Value::Ratio { part, whole }, Value::Ratio { part: more, whole: of }) => {
                *part += more;
                *whole += of;
            }
            (Value::Ratios(all), Value::Ratios(more)) => {
                for of_op in more {
                    match all.iter_mut().find(|known| known.op == of_op.op) {
                        Some(known) => {
                            known.part += of_op.part;
                            known.whole += of_op.whole;
                        }
                        None => all.push(of_op.clone()),
                    }
                }
            }
            (Value::Max(most), Value::Max(other)) => *most = (*most).max(*other),
            (Value::Peak { now, most }, Value::Peak { now: other, most: more }) => {
                *now = (*now).max(*other);
                *most = (*most).max(*more);
            }
            (Value::Outcomes(all), Value::Outcomes(more)) => {
                all.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
            (Value::Times(all), Value::Times(more)) => all.merge(more),
            (Value::States(all), Value::States(more)) => {
                for (sum, more) in all.iter_mut().zip(more) {
                    sum.now += more.now;
                    sum.spent += more.spent;
                }
            }
            (mine, other) => debug_assert!(false, "{other:?} was reported beside {mine:?}"),
        }
    }

    /// Whether this value fits a declaration.
    pub fn fits(&self, figure: &Figure) -> bool {
        match (self, figure.merge) {
            (Value::Outcomes(_), Merge::Count) => figure.by == Some(Dimension::Outcome),
            (Value::Ratios(_), Merge::Ratio) => figure.by == Some(Dimension::Op),
            (Value::Ratio { .. }, Merge::Ratio) => figure.by.is_none(),
            (Value::Count(_), Merge::Count)
            | (Value::Net { .. }, Merge::Net)
            | (Value::Level(_), Merge::Level)
            | (Value::Gauge { .. }, Merge::Gauge)
            | (Value::Max(_), Merge::Max)
            | (Value::Peak { .. }, Merge::Peak)
            | (Value::Times(_), Merge::Times) => true,
            (Value::States(all), Merge::States(names)) => all.len() == names.len(),
            _ => false,
        }
    }
}

/// The figures of a component or link: the merged reports of its replicas.
///
/// Each replica reports in turn, and every report is merged into the earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    reported: Vec<(&'static Figure, Value)>,
    /// Where the next report is expected: all replicas report in the same order.
    next: usize,
    leaves_times_out: bool,
}

/// Equal if the same figures have the same values, regardless of the order of the first reports.
impl PartialEq for Figures {
    fn eq(&self, other: &Figures) -> bool {
        self.reported.len() == other.reported.len()
            && self.reported.iter().all(|(figure, value)| other.get(figure) == Some(value))
    }
}

impl Figures {
    /// A report without histograms, which are slow to merge.
    pub fn without_times() -> Figures {
        Figures { leaves_times_out: true, ..Figures::default() }
    }

    /// Removes all reports and keeps the memory.
    pub fn clear(&mut self) {
        self.reported.clear();
        self.next = 0;
    }

    /// Adds events since the end of the warm-up.
    pub fn count(&mut self, figure: &'static Figure, events: u64) {
        self.add(figure, &Value::Count(events));
    }

    /// Adds arrivals and departures since the end of the warm-up.
    pub fn net(&mut self, figure: &'static Figure, came: u64, went: u64) {
        self.add(figure, &Value::Net { came, went });
    }

    /// Adds the current number.
    pub fn level(&mut self, figure: &'static Figure, now: u64) {
        self.add(figure, &Value::Level(now));
    }

    /// Adds a gauge and its integral since the end of the warm-up.
    pub fn gauge(&mut self, figure: &'static Figure, gauge: &Gauge, at: crate::time::Time) {
        self.add(figure, &Value::Gauge { now: gauge.value(), integral: gauge.integral(at) });
    }

    /// Adds the integral since the end of the warm-up of a quantity averaged over time, such as core-nanoseconds; its
    /// current value is unknown and counts as 0.
    pub fn spent(&mut self, figure: &'static Figure, integral: u128) {
        self.add(figure, &Value::Gauge { now: 0, integral });
    }

    /// Adds a part of a whole, both since the end of the warm-up.
    pub fn ratio(&mut self, figure: &'static Figure, part: impl Into<u128>, whole: impl Into<u128>) {
        self.add(figure, &Value::Ratio { part: part.into(), whole: whole.into() });
    }

    /// Adds parts of wholes by operation, both since the end of the warm-up.
    pub fn ratios(&mut self, figure: &'static Figure, ratios: Vec<OfOp>) {
        self.add(figure, &Value::Ratios(ratios));
    }

    /// Adds a value to a maximum.
    pub fn max(&mut self, figure: &'static Figure, value: Option<u64>) {
        self.add(figure, &Value::Max(value));
    }

    /// Adds a value to a maximum over time: the current value and the maximum so far.
    pub fn peak(&mut self, figure: &'static Figure, now: Option<u64>, most: u64) {
        self.add(figure, &Value::Peak { now, most });
    }

    /// Adds events by outcome since the end of the warm-up.
    pub fn outcomes(&mut self, figure: &'static Figure, counts: &[u64; Outcome::COUNT]) {
        self.add(figure, &Value::Outcomes(*counts));
    }

    /// Raises a level to a known lower bound.
    pub fn raise(&mut self, figure: &'static Figure, to: u64) {
        match self.place(figure) {
            Some(place) => {
                if let Value::Level(now) = &mut self.reported[place].1 {
                    *now = (*now).max(to);
                }
            }
            None => self.append(figure, Value::Level(to)),
        }
    }

    /// An empty report with the same setting for histograms.
    pub fn alike(&self) -> Figures {
        Figures { leaves_times_out: self.leaves_times_out, ..Figures::default() }
    }

    /// Adds durations, ns.
    pub fn times(&mut self, figure: &'static Figure, times: &Histogram) {
        if self.leaves_times_out {
            return;
        }
        match self.place(figure) {
            Some(place) => {
                if let Value::Times(all) = &mut self.reported[place].1 {
                    all.merge(times);
                }
            }
            None => self.append(figure, Value::Times(Box::new(times.clone()))),
        }
    }

    /// Adds a replica that is in one of the figure's states, with the time spent in each state since the end of the
    /// warm-up, ns.
    pub fn states(&mut self, figure: &'static Figure, now: usize, spent: &[u128]) {
        let state = |(place, spent): (usize, &u128)| InState { now: u64::from(place == now), spent: *spent };
        self.add(figure, &Value::States(spent.iter().enumerate().map(state).collect()));
    }

    /// Merges all reports of another set.
    pub fn merge(&mut self, other: &Figures) {
        for (figure, value) in &other.reported {
            self.add(figure, value);
        }
    }

    /// The value reported for a figure; `None` if there is none.
    pub fn get(&self, figure: &Figure) -> Option<&Value> {
        self.reported.iter().find(|(other, _)| is_same(other, figure)).map(|(_, value)| value)
    }

    /// The current value of a figure, for kinds that have one: levels, gauges and peaks.
    pub fn now(&self, figure: &Figure) -> Option<u64> {
        match self.get(figure)? {
            Value::Level(now) | Value::Gauge { now, .. } => Some(*now),
            Value::Peak { now, .. } => *now,
            Value::Count(_)
            | Value::Net { .. }
            | Value::Ratio { .. }
            | Value::Ratios(_)
            | Value::Max(_)
            | Value::Outcomes(_)
            | Value::Times(_)
            | Value::States(_) => None,
        }
    }

    /// All reported values, in the order of first report.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Figure, &Value)> {
        self.reported.iter().map(|(figure, value)| (*figure, value))
    }

    fn add(&mut self, figure: &'static Figure, value: &Value) {
        match self.place(figure) {
            Some(place) => self.reported[place].1.add(value),
            None => self.append(figure, value.clone()),
        }
    }

    fn append(&mut self, figure: &'static Figure, value: Value) {
        debug_assert!(value.fits(figure), "`{}` is not declared as {value:?}", figure.name);
        self.reported.push((figure, value));
        self.next = self.reported.len();
    }

    /// The position of a figure.
    fn place(&mut self, figure: &Figure) -> Option<usize> {
        let is_next = |place: usize| self.reported.get(place).is_some_and(|(other, _)| is_same(other, figure));
        let place = match [self.next, 0].into_iter().find(|place| is_next(*place)) {
            Some(place) => place,
            None => self.reported.iter().position(|(other, _)| is_same(other, figure))?,
        };
        self.next = place + 1;
        Some(place)
    }
}

/// A constant can be in memory more than once, so equal addresses prove equality but different ones prove nothing.
fn is_same(one: &Figure, other: &Figure) -> bool {
    std::ptr::eq(one, other) || one.name == other.name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENT: Figure = Figure::count("sent", "Sent.");
    const OPEN: Figure = Figure::level("open", "Open.");
    const HELD: Figure = Figure::gauge("held", "Held.");
    const AGE: Figure = Figure::mean("age", "Age.").in_seconds();
    const OLDEST: Figure = Figure::max("oldest", "Oldest.");
    const WAIT: Figure = Figure::times("wait", "Wait.");
    const STATE: Figure = Figure::states("state", &["closed", "open"], "State.");

    /// The report of one replica; some leave a value out.
    #[derive(Clone, Debug)]
    struct Replica {
        events: u64,
        held: Gauge,
        oldest: Option<u64>,
        waits: Vec<u64>,
        spent: [u128; 2],
        has_state: bool,
    }

    impl Replica {
        fn report(&self, figures: &mut Figures) {
            figures.count(&SENT, self.events);
            figures.level(&OPEN, self.events % 7);
            figures.gauge(&HELD, &self.held, 1_000);
            figures.ratio(&AGE, self.events * 3, self.events);
            figures.max(&OLDEST, self.oldest);
            let mut waits = Histogram::new();
            waits.record_all(&self.waits);
            figures.times(&WAIT, &waits);
            if self.has_state {
                figures.states(&STATE, (self.events % 2) as usize, &self.spent);
            }
        }
    }

    fn replica() -> impl Strategy<Value = Replica> {
        let waits = proptest::collection::vec(0u64..10_000_000, 0..5);
        let spent = [any::<u64>().prop_map(u128::from), any::<u64>().prop_map(u128::from)];
        (0u64..1_000, 0u64..50, proptest::option::of(any::<u64>()), waits, spent, any::<bool>()).prop_map(
            |(events, held, oldest, waits, spent, has_state)| Replica {
                events,
                held: Gauge::new(events, held),
                oldest,
                waits,
                spent,
                has_state,
            },
        )
    }

    proptest! {
        /// Merging one by one, or in groups, in either order, gives the same result.
        #[test]
        fn replicas_can_be_grouped_in_any_way(replicas in proptest::collection::vec(replica(), 0..8), cut in 0usize..8) {
            let cut = cut.min(replicas.len());
            let together = |part: &[Replica]| {
                let mut figures = Figures::default();
                part.iter().for_each(|one| one.report(&mut figures));
                figures
            };
            let (all, mut first, mut second) = (together(&replicas), together(&replicas[..cut]), together(&replicas[cut..]));
            let later = second.clone();
            second.merge(&first);
            first.merge(&later);
            prop_assert_eq!(&first, &all);
            prop_assert_eq!(&second, &all);
            let mut one_by_one = Figures::default();
            replicas.iter().for_each(|one| one_by_one.merge(&together(std::slice::from_ref(one))));
            prop_assert_eq!(&one_by_one, &all);
        }
    }

    #[test]
    fn states_add_up_to_the_time_of_all_replicas() {
        let mut figures = Figures::default();
        figures.states(&STATE, 0, &[70, 30]);
        figures.states(&STATE, 1, &[0, 100]);
        let closed = InState { now: 1, spent: 70 };
        assert_eq!(figures.get(&STATE), Some(&Value::States(vec![closed, InState { now: 1, spent: 130 }])));
    }

    #[test]
    fn histograms_are_left_out_where_they_are_not_wanted() {
        let mut figures = Figures::without_times();
        figures.times(&WAIT, &Histogram::new());
        figures.count(&SENT, 1);
        assert_eq!(figures.iter().map(|(figure, _)| figure.name).collect::<Vec<_>>(), ["sent"]);
    }

    /// The copy stands for the same constant at another address.
    #[test]
    fn a_declaration_is_known_by_its_name() {
        static COPY: Figure = Figure::count("sent", "Sent.");
        let mut figures = Figures::default();
        figures.count(&SENT, 1);
        figures.level(&OPEN, 5);
        figures.count(&COPY, 2);
        assert_eq!((figures.get(&SENT), figures.now(&OPEN)), (Some(&Value::Count(3)), Some(5)));
    }

    #[test]
    #[should_panic(expected = "`sent` is not declared as Level(1)")]
    #[cfg(debug_assertions)]
    fn a_value_of_another_sort_is_refused() {
        Figures::default().level(&SENT, 1);
    }
}
