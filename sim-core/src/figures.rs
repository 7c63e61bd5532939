//! Figures that nodes report of themselves.
//!
//! Whoever measures something declares it once, as a constant [`Figure`] beside the code that measures it, and reports
//! values against the declaration. Everything else follows from there: how the values of several replicas become one,
//! what the result, metrics, time series, reports and screens call it, in which unit, and what the reference says of it.
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
//! Values are whole numbers, so that merging is exact and replicas can be grouped in any way.

use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::outcome::Outcome;

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A time, s. Its values are reported in nanoseconds.
    Seconds,
    /// Something per second.
    PerSecond,
    /// A share between 0 and 1.
    Fraction,
    /// How many.
    Count,
    /// Memory.
    Bytes,
    /// A number without a unit, such as a factor.
    Number,
}

/// What is measured, and so how the figures of several replicas become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Events since the end of the warm-up: added up. Over time: events per second.
    Count,
    /// What came less what went since the end of the warm-up, per second: both are added up. Can be negative.
    Net,
    /// A number of this instant: added up.
    Level,
    /// A number averaged over time: integrals are added up.
    Gauge,
    /// A part of a whole: parts and wholes are added up. Unknown while the whole is 0.
    Ratio,
    /// The largest value of any replica. Unknown where no replica has one.
    Max,
    /// The largest value at any time since the end of the warm-up, of any replica. Over time: that at the end of each window.
    Peak,
    /// Durations: their histograms are merged.
    Times,
    /// One of these states at a time: the time spent in each is added up and becomes a share.
    States(&'static [&'static str]),
}

/// What a figure is broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// How calls end: there is a value for each outcome.
    Outcome,
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
    /// What it is broken down by; the name of the value follows that of the figure: `outcomes.timeout`.
    pub by: Option<Dimension>,
    /// Whether every run keeps it over time; others are kept where something asks for them.
    pub is_kept: bool,
    /// Whether its value over time is that at the end of each window, not the window's mean.
    pub is_sampled: bool,
    /// Whether only the screen shows it, and the result does not have it.
    pub is_for_screens: bool,
    /// What it says, in a sentence.
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

    /// How fast something grows, per second.
    pub const fn growth(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::PerSecond, Merge::Net, doc)
    }

    /// How many there are at this instant.
    pub const fn level(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Level, doc)
    }

    /// How many there are, averaged over time.
    pub const fn gauge(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Gauge, doc)
    }

    /// A share of a whole, 0 to 1.
    pub const fn share(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Fraction, Merge::Ratio, doc)
    }

    /// A sum over a number of things.
    pub const fn mean(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Number, Merge::Ratio, doc)
    }

    /// The largest of all.
    pub const fn max(name: &'static str, doc: &'static str) -> Figure {
        Figure::new(name, Unit::Count, Merge::Max, doc)
    }

    /// The largest of all at any time.
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

    /// The same, kept over time by every run.
    pub const fn kept(self) -> Figure {
        Figure { is_kept: true, ..self }
    }

    /// The same, but over time it is what it is at the end of each window.
    pub const fn sampled(self) -> Figure {
        Figure { is_sampled: true, ..self }
    }

    /// The same, shown by the screen and by nothing else.
    pub const fn for_screens(self) -> Figure {
        Figure { is_for_screens: true, ..self }
    }
}

/// What was reported of a figure, by one replica or several.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Events.
    Count(u64),
    /// What has come and what has gone.
    Net {
        /// How many came.
        came: u64,
        /// How many went.
        went: u64,
    },
    /// What there is now.
    Level(u64),
    /// What there is now, and its integral since the end of the warm-up in nanoseconds.
    Gauge {
        /// The value now.
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
    /// The largest; `None` where there is none.
    Max(Option<u64>),
    /// The largest value now, `None` where there is none, and at any time.
    Peak {
        /// The largest now.
        now: Option<u64>,
        /// The largest since the end of the warm-up.
        most: u64,
    },
    /// Events by outcome, in the order of [`Outcome::ALL`].
    Outcomes([u64; Outcome::COUNT]),
    /// Durations in nanoseconds.
    Times(Box<Histogram>),
    /// What is known of each state, in the order of the declaration.
    States(Vec<InState>),
}

/// Replicas in a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InState {
    /// How many are in it now.
    pub now: u64,
    /// For how long they have been, together, since the end of the warm-up, ns.
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

    /// Whether a declaration can have this value.
    pub fn fits(&self, figure: &Figure) -> bool {
        match (self, figure.merge) {
            (Value::Outcomes(_), Merge::Count) => figure.by == Some(Dimension::Outcome),
            (Value::Count(_), Merge::Count)
            | (Value::Net { .. }, Merge::Net)
            | (Value::Level(_), Merge::Level)
            | (Value::Gauge { .. }, Merge::Gauge)
            | (Value::Ratio { .. }, Merge::Ratio)
            | (Value::Max(_), Merge::Max)
            | (Value::Peak { .. }, Merge::Peak)
            | (Value::Times(_), Merge::Times) => true,
            (Value::States(all), Merge::States(names)) => all.len() == names.len(),
            _ => false,
        }
    }
}

/// The figures of a component or link: what its replicas have reported, put together.
///
/// Each replica reports in turn, and every report is added to those before it.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    reported: Vec<(&'static Figure, Value)>,
    /// Where the next report is expected: replicas report in the same order.
    next: usize,
    leaves_times_out: bool,
}

/// The same figures have the same values, in whichever order they were first reported.
impl PartialEq for Figures {
    fn eq(&self, other: &Figures) -> bool {
        self.reported.len() == other.reported.len()
            && self.reported.iter().all(|(figure, value)| other.get(figure) == Some(value))
    }
}

impl Figures {
    /// Without histograms, which take long to merge.
    pub fn without_times() -> Figures {
        Figures { leaves_times_out: true, ..Figures::default() }
    }

    /// Forgets all reports and keeps the memory.
    pub fn clear(&mut self) {
        self.reported.clear();
        self.next = 0;
    }

    /// Adds events since the end of the warm-up.
    pub fn count(&mut self, figure: &'static Figure, events: u64) {
        self.add(figure, &Value::Count(events));
    }

    /// Adds what has come and gone since the end of the warm-up.
    pub fn net(&mut self, figure: &'static Figure, came: u64, went: u64) {
        self.add(figure, &Value::Net { came, went });
    }

    /// Adds what there is now.
    pub fn level(&mut self, figure: &'static Figure, now: u64) {
        self.add(figure, &Value::Level(now));
    }

    /// Adds a gauge and its integral since the end of the warm-up.
    pub fn gauge(&mut self, figure: &'static Figure, gauge: &Gauge, at: crate::time::Time) {
        self.add(figure, &Value::Gauge { now: gauge.value(), integral: gauge.integral(at) });
    }

    /// Adds what was spent since the end of the warm-up of something that is averaged over time, such as core-nanoseconds;
    /// nothing is known of this instant.
    pub fn spent(&mut self, figure: &'static Figure, integral: u128) {
        self.add(figure, &Value::Gauge { now: 0, integral });
    }

    /// Adds a part of a whole, both since the end of the warm-up.
    pub fn ratio(&mut self, figure: &'static Figure, part: impl Into<u128>, whole: impl Into<u128>) {
        self.add(figure, &Value::Ratio { part: part.into(), whole: whole.into() });
    }

    /// Adds a value of which the largest counts.
    pub fn max(&mut self, figure: &'static Figure, value: Option<u64>) {
        self.add(figure, &Value::Max(value));
    }

    /// Adds a value of which the largest at any time counts: what it is now and the most it has been.
    pub fn peak(&mut self, figure: &'static Figure, now: Option<u64>, most: u64) {
        self.add(figure, &Value::Peak { now, most });
    }

    /// Adds events by outcome since the end of the warm-up.
    pub fn outcomes(&mut self, figure: &'static Figure, counts: &[u64; Outcome::COUNT]) {
        self.add(figure, &Value::Outcomes(*counts));
    }

    /// Raises a level to what it is known to have been at least.
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

    /// An empty report that leaves out what this one does.
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

    /// Adds a replica that is in one of the figure's states, and for how long it has been in each since the end of the
    /// warm-up, ns.
    pub fn states(&mut self, figure: &'static Figure, now: usize, spent: &[u128]) {
        let state = |(place, spent): (usize, &u128)| InState { now: u64::from(place == now), spent: *spent };
        self.add(figure, &Value::States(spent.iter().enumerate().map(state).collect()));
    }

    /// Adds all that others have reported.
    pub fn merge(&mut self, other: &Figures) {
        for (figure, value) in &other.reported {
            self.add(figure, value);
        }
    }

    /// What was reported of a figure; `None` where nothing was.
    pub fn get(&self, figure: &Figure) -> Option<&Value> {
        self.reported.iter().find(|(other, _)| is_same(other, figure)).map(|(_, value)| value)
    }

    /// The value of a figure now, of those that have one: levels and gauges.
    pub fn now(&self, figure: &Figure) -> Option<u64> {
        match self.get(figure)? {
            Value::Level(now) | Value::Gauge { now, .. } => Some(*now),
            Value::Peak { now, .. } => *now,
            Value::Count(_)
            | Value::Net { .. }
            | Value::Ratio { .. }
            | Value::Max(_)
            | Value::Outcomes(_)
            | Value::Times(_)
            | Value::States(_) => None,
        }
    }

    /// All that was reported, in the order of the first report of each.
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

    /// Where a figure stands.
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

/// A constant can be in memory more than once, so that its address says only that two are the same.
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

    /// What one replica reports; a few leave something out.
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
        /// One after the other, or in groups that are put together, in either order: it comes to the same.
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

    /// The copy stands for the same constant in another place in memory.
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
