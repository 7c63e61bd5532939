//! Arrivals: when an open workload sends, and which processes there are.
//!
//! A [`Source`] gives one instant after the other. Under a shape the gaps are drawn in *operational time*, which runs
//! as fast as the shape says, and are carried over to the clock by inverting the shape's integral: exact for a Poisson
//! process of changing rate, and what "twice the rate" means for the others.

use std::rc::Rc;
use std::sync::Arc;

use settings::{
    Count, CountDist, Duration, DurationDist, LogFormat, Node, Problem, Rate, Reader, Setting, SignedDuration,
};
use sim_core::dist::{Dist, nearest};
use sim_core::random::{Stream, hash, mix};
use sim_core::{Span, Time};

use super::shape::Shape;
use super::timestamp;

/// One state of a modulated process.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct StateSettings {
    /// The rate in this state.
    pub rate: Rate,
    /// Time spent in this state.
    pub stays: DurationDist,
}

/// When requests are sent.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum Process {
    /// A Poisson process: requests arrive independently of each other.
    #[setting(live)]
    Poisson(Rate),
    /// At regular intervals.
    #[setting(live)]
    Constant(Rate),
    /// A renewal process: independent gaps from a distribution.
    Renewal {
        /// Time between arrivals.
        interarrival: DurationDist,
    },
    /// A Markov-modulated Poisson process: the rate changes at random through a cycle of states.
    Mmpp {
        /// The states, in their order.
        states: Vec<StateSettings>,
    },
    /// A closed loop: users wait for the answer, think, and send again.
    Closed {
        /// How many.
        users: Count,
        /// Think time.
        think: DurationDist,
        /// Ramp-up time over which the users start.
        #[setting(default = "0s")]
        ramp: Duration,
    },
    /// Sessions: visitors arrive at random, send several requests in sequence, and leave.
    Sessions {
        /// Arrival rate of visitors.
        #[setting(live)]
        rate: Rate,
        /// Requests per session.
        requests: CountDist,
        /// Think time between requests.
        think: DurationDist,
    },
    /// Long-lived connections that send now and then.
    Connections {
        /// How many.
        count: Count,
        /// Idle time of each connection between an answer and its next request.
        think: DurationDist,
    },
    /// All requests at one instant.
    Once {
        /// How many.
        count: Count,
        /// When.
        #[setting(default = "0s")]
        at: SignedDuration,
    },
    /// Replays recorded requests from a table.
    Trace(TraceSettings),
}

impl Process {
    /// How long users think, where there are users.
    pub fn think(&self) -> Option<&Dist> {
        match self {
            Process::Closed { think, .. } | Process::Sessions { think, .. } | Process::Connections { think, .. } => {
                Some(&think.0)
            }
            Process::Poisson(_)
            | Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Once { .. }
            | Process::Trace(_) => None,
        }
    }

    /// Requests a second, as far as it does not depend on the answers.
    pub fn rate(&self) -> Option<f64> {
        match self {
            Process::Poisson(rate) | Process::Constant(rate) => Some(rate.0),
            Process::Renewal { interarrival } => Some(1e9 / interarrival.0.mean()),
            Process::Mmpp { states } => {
                let stays: f64 = states.iter().map(|s| s.stays.0.mean()).sum();
                Some(states.iter().map(|s| s.rate.0 * s.stays.0.mean()).sum::<f64>() / stays)
            }
            Process::Sessions { rate, requests, .. } => Some(rate.0 * requests.0.mean()),
            Process::Closed { .. } | Process::Connections { .. } | Process::Once { .. } | Process::Trace(_) => None,
        }
    }

    /// Arrivals a second, where the rate is one that may change during a run.
    pub fn live_rate(&self) -> Option<f64> {
        match self {
            Process::Poisson(rate) | Process::Constant(rate) | Process::Sessions { rate, .. } => Some(rate.0),
            Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Closed { .. }
            | Process::Connections { .. }
            | Process::Once { .. }
            | Process::Trace(_) => None,
        }
    }

    /// The rate that gaps are drawn at. What is drawn is scaled by the rate in force, which may be none at all.
    pub fn base_rate(&self) -> f64 {
        self.live_rate().filter(|rate| *rate > 0.0).unwrap_or(1.0)
    }

    /// How many requests each visitor sends, where there are visitors who come and leave.
    #[inline]
    pub fn session_length(&self) -> Option<&CountDist> {
        match self {
            Process::Sessions { requests, .. } => Some(requests),
            Process::Poisson(_)
            | Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Closed { .. }
            | Process::Connections { .. }
            | Process::Once { .. }
            | Process::Trace(_) => None,
        }
    }

    /// How many users there are from the beginning to the end, each of whom waits for the answer before it sends again.
    pub fn users(&self) -> Option<u64> {
        match self {
            Process::Closed { users, .. } => Some(users.0),
            Process::Connections { count, .. } => Some(count.0),
            Process::Poisson(_)
            | Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Sessions { .. }
            | Process::Once { .. }
            | Process::Trace(_) => None,
        }
    }

    /// How many requests it sends in all, where their number is fixed.
    pub fn total(&self) -> Option<u64> {
        match self {
            Process::Once { count, .. } => Some(count.0),
            Process::Trace(trace) => Some(trace.requests.len() as u64),
            Process::Poisson(_)
            | Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Closed { .. }
            | Process::Sessions { .. }
            | Process::Connections { .. } => None,
        }
    }

    /// The requests that it replays, where they are recorded.
    pub fn trace(&self) -> Option<&TraceSettings> {
        match self {
            Process::Trace(trace) => Some(trace),
            Process::Poisson(_)
            | Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Closed { .. }
            | Process::Sessions { .. }
            | Process::Connections { .. }
            | Process::Once { .. } => None,
        }
    }

    /// Whether chance decides when requests come, think times apart.
    pub fn is_random(&self) -> bool {
        match self {
            Process::Poisson(_) | Process::Mmpp { .. } | Process::Sessions { .. } => true,
            // Where a distance or a think time is drawn, its distribution says so.
            Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Closed { .. }
            | Process::Connections { .. }
            | Process::Once { .. }
            | Process::Trace(_) => false,
        }
    }

    /// Whether requests come whatever the answers do.
    pub fn is_open(&self) -> bool {
        match self {
            Process::Poisson(_)
            | Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Sessions { .. } => true,
            Process::Closed { .. } | Process::Connections { .. } | Process::Once { .. } | Process::Trace(_) => false,
        }
    }

    /// Whether it is a load: requests that come whatever the answers do, by themselves or because they were recorded.
    pub fn is_load(&self) -> bool {
        self.is_open() || self.trace().is_some()
    }

    /// Whether requests come at equal distances.
    pub fn is_regular(&self) -> bool {
        match self {
            Process::Constant(_) => true,
            Process::Renewal { interarrival } => interarrival.0.is_constant().is_some(),
            Process::Poisson(_)
            | Process::Mmpp { .. }
            | Process::Sessions { .. }
            | Process::Closed { .. }
            | Process::Connections { .. }
            | Process::Once { .. }
            | Process::Trace(_) => false,
        }
    }

    /// Whether it waits for answers before it sends more, so that its load falls with the system.
    pub fn waits_for_answers(&self) -> bool {
        self.think().is_some()
    }
}

/// When requests are sent, and how many at once.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ArrivalsSettings {
    /// The process.
    #[setting(flatten)]
    pub process: Process,
    /// Requests per arrival. Defaults to one.
    pub batch: Option<CountDist>,
}

/// How a recording is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum TraceFormat {
    /// A table with a header line, as CSV.
    Csv,
    /// An access log in the Common Log Format. Its columns are `host`, `ident`, `user`, `time`, `method`, `path`, `request`, `status` and
    /// `bytes`.
    Common,
    /// The same with `referer` and `agent`, as Apache and nginx write by default.
    Combined,
    /// A log with a JSON object a line. Its columns are the fields of the objects; `a.b` is a field of an object in a field.
    Json,
}

impl TraceFormat {
    /// The format as that of a log, if it is one.
    fn of_log(self) -> Option<LogFormat> {
        match self {
            TraceFormat::Csv => None,
            TraceFormat::Common => Some(LogFormat::Common),
            TraceFormat::Combined => Some(LogFormat::Combined),
            TraceFormat::Json => Some(LogFormat::Json),
        }
    }
}

/// Which columns of a recording say when requests were sent.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct TraceColumns {
    /// The recording.
    pub file: String,
    /// How it is written.
    #[setting(default = "csv")]
    pub format: TraceFormat,
    /// The column of the instants: seconds, or with a unit in the cell or at the end of the column's name (`at_ms`); or dates, as in access
    /// logs or in ISO 8601, of which the first is the scenario's 0.
    #[setting(default = "time")]
    pub time_column: String,
    /// The column of the operations.
    pub op_column: Option<String>,
    /// The column of the data keys.
    pub key_column: Option<String>,
    /// Replay speed relative to the recording.
    #[setting(default = 1, range = "0.000001..=1000000")]
    pub speed: f64,
}

/// The latest instant of a recorded request, ns: as long as a run may be.
const LATEST: Time = sim_core::TIME_MAX;

/// One recorded request.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// When, on the scenario's clock.
    pub at: Span,
    /// What was asked for.
    pub op: Option<String>,
    /// Which data it was about.
    pub key: Option<u64>,
}

/// A recorded workload: the columns, and what they contain.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// Where it was read from.
    pub columns: TraceColumns,
    /// What was read, in the order of time.
    pub requests: Arc<Vec<Recorded>>,
}

impl TraceSettings {
    /// A digest of what was read, which the file's name does not tell.
    pub fn digest(&self) -> u64 {
        self.requests.iter().fold(0, |digest, recorded| {
            let key = recorded.key.map_or(0, |key| key.wrapping_add(1));
            let words = [digest, recorded.at, key, recorded.op.as_deref().map_or(0, |op| hash(1, op))];
            words.into_iter().fold(0, |so_far, word| mix(so_far ^ word).rotate_left(17))
        })
    }
}

impl Setting for TraceSettings {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let columns = TraceColumns::read(node, cx)?;
        let Some(files) = cx.files() else {
            let problem = Problem::error(
                "no_files",
                node.span,
                "a scenario that was not read from a file cannot refer to other files",
            )
            .help("save the scenario in a file next to the table");
            return cx.refuse(problem);
        };
        let mut column = |key: &str, name: &str| -> Option<Rc<Vec<String>>> {
            let found = match columns.format.of_log() {
                None => files.column(&columns.file, name),
                Some(format) => files.field(&columns.file, format, name),
            };
            found
                .map_err(|why| {
                    let span = node.entry(key).map_or(node.span, |e| e.value.span);
                    cx.report(Problem::error("bad_table", span, why));
                })
                .ok()
        };
        let times = column("time_column", &columns.time_column)?;
        let ops = match &columns.op_column {
            Some(name) => Some(column("op_column", name)?),
            None => None,
        };
        let keys = match &columns.key_column {
            Some(name) => Some(column("key_column", name)?),
            None => None,
        };
        if !files.takes((size_of::<Recorded>() * times.len()) as u64) {
            let message = format!("`{}` exceeds the memory limit", columns.file);
            return cx
                .refuse(Problem::error("too_much_memory", node.span, message).help("raise the limit with `--memory`"));
        }
        let mut requests = Vec::with_capacity(times.len());
        // Dates are counted from the first.
        let dates: Option<Vec<i128>> = times.iter().map(|cell| timestamp::nanoseconds(cell)).collect();
        let first = dates.as_ref().and_then(|dates| dates.iter().min().copied()).unwrap_or(0);
        for (row, cell) in times.iter().enumerate() {
            let refuse = |what: &str, cell: &str| {
                let cell = if files.quotes(&columns.file) { format!("`{cell}`") } else { "this".to_string() };
                let message = format!("row {} of `{}`: {cell} is no {what}", row + 1, columns.file);
                Problem::error("bad_cell", node.span, message)
            };
            let at = match &dates {
                Some(dates) => Some((dates[row] - first) as f64),
                None => instant(cell, &columns.time_column),
            };
            let Some(at) = at else { return cx.refuse(refuse("time", cell)) };
            // Keys that are words are told apart by their hash.
            let number = |cell: &String| cell.parse().unwrap_or_else(|_| sim_core::random::hash(0, cell));
            let key = keys.as_ref().map(|k| number(&k[row]));
            let at = at / columns.speed + 0.5;
            if at >= LATEST as f64 {
                return cx.refuse(refuse("time within what can be simulated (18 years)", cell));
            }
            let at = at as Span;
            // What is asked for where a cell is empty, `requests` says.
            let op = ops.as_ref().map(|ops| ops[row].clone()).filter(|op| !op.is_empty());
            requests.push(Recorded { at, op, key });
        }
        requests.sort_by_key(|r| r.at);
        if requests.is_empty() {
            let message = format!("`{}` has no rows: this workload sends nothing", columns.file);
            cx.report(Problem::warning("no_effect", node.span, message));
        }
        Some(TraceSettings { columns, requests: Arc::new(requests) })
    }

    fn describe(book: &mut settings::Book) -> settings::Shape {
        TraceColumns::describe(book)
    }

    fn write(&self) -> Node {
        self.columns.write()
    }
}

/// A cell as nanoseconds.
fn instant(cell: &str, column: &str) -> Option<f64> {
    let unit = match column.rsplit_once('_').map(|(_, unit)| unit) {
        Some("ns") => 1.0,
        Some("us") => 1e3,
        Some("ms") => 1e6,
        _ => 1e9,
    };
    if let Ok(number) = cell.trim().parse::<f64>() {
        return (number.is_finite() && number >= 0.0).then_some(number * unit);
    }
    settings::notation::read::<Duration>(cell.trim()).ok().map(|d| d.0 as f64)
}

/// What a trace says of the request whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traced {
    /// The sort of request.
    pub sort: Option<u16>,
    /// Its data key.
    pub key: Option<u64>,
}

#[derive(Clone, Debug)]
enum Gaps {
    /// Gaps in operational time, drawn from a distribution.
    Renewal(Dist),
    /// States with their rates, and how it stood when the arrival that is awaited was drawn.
    Modulated { modulation: Modulation, drawn: Option<Box<Drawn>> },
    /// So many at one instant.
    Once { at: Time, left: u64 },
    /// Recorded; which is next.
    Trace { requests: Arc<Vec<Recorded>>, sorts: Arc<Vec<Option<u16>>>, next: usize },
}

/// The states of a modulated process, which of them is on and until when.
#[derive(Clone, Debug)]
struct Modulation {
    states: Arc<Vec<(f64, Dist)>>,
    state: usize,
    until: f64,
}

/// A modulated process at the instant at which an arrival was drawn, with the hazard that leads to it.
#[derive(Clone, Debug)]
struct Drawn {
    modulation: Modulation,
    stream: Stream,
    at: f64,
    hazard: f64,
}

/// Where a hazard leads.
enum Walked {
    /// It is used up at that instant.
    Arrives(f64),
    /// So much is left of it.
    Left(f64),
    /// It never is.
    Never,
}

impl Modulation {
    /// Uses up a hazard from `at` on, at most until `stop`.
    fn walk(
        &mut self,
        (mut at, mut hazard): (f64, f64),
        stop: f64,
        surge: f64,
        (shape, zero): (Option<&Shape>, f64),
        stream: &mut Stream,
    ) -> Walked {
        loop {
            if at >= self.until {
                self.state = (self.state + 1) % self.states.len();
                self.until = at + self.states[self.state].1.sample(stream).max(1.0);
            }
            let until = self.until.min(stop);
            let rate = self.states[self.state].0 * surge / 1e9;
            let (here, within) = match shape {
                None => (at + hazard / rate, (until - at) * rate),
                Some(shape) => {
                    let to = shape.after(at - zero, hazard / rate).map_or(f64::INFINITY, |t| t + zero);
                    (to, shape.integral(at - zero, until - zero) * rate)
                }
            };
            if rate > 0.0 && here <= until {
                return Walked::Arrives(here);
            }
            hazard -= within;
            at = until;
            if at >= stop {
                return Walked::Left(hazard);
            }
            if at > 1e18 {
                return Walked::Never;
            }
        }
    }
}

/// Gives one instant after the other.
#[derive(Clone, Debug)]
pub struct Source {
    gaps: Gaps,
    shape: Option<Shape>,
    stream: Stream,
    zero: Time,
    surge: f64,
}

impl Source {
    /// The source of a process; `None` for one whose users send.
    pub fn new(process: &Process, shape: Option<Shape>, stream: Stream, zero: Time) -> Option<Source> {
        let exponential = |rate: f64| Dist::exp(1e9 / rate).ok();
        let gaps = match process {
            Process::Poisson(_) | Process::Sessions { .. } => Gaps::Renewal(exponential(process.base_rate())?),
            Process::Constant(_) => Gaps::Renewal(Dist::constant(1e9 / process.base_rate()).ok()?),
            Process::Renewal { interarrival } => Gaps::Renewal(interarrival.0.clone()),
            Process::Mmpp { states } => {
                let states: Vec<_> = states.iter().map(|s| (s.rate.0, s.stays.0.clone())).collect();
                let modulation = Modulation { state: states.len() - 1, states: Arc::new(states), until: 0.0 };
                Gaps::Modulated { modulation, drawn: None }
            }
            Process::Once { count, at } => Gaps::Once { at: (zero as i64 + at.0).max(0) as Time, left: count.0 },
            Process::Trace(trace) => {
                Gaps::Trace { requests: trace.requests.clone(), sorts: Arc::new(Vec::new()), next: 0 }
            }
            Process::Closed { .. } | Process::Connections { .. } => return None,
        };
        let surge = process.live_rate().map_or(1.0, |rate| rate / process.base_rate());
        Some(Source { gaps, shape, stream, zero, surge })
    }

    /// Which sort of request each recorded operation is.
    pub fn set_sorts(&mut self, of_recorded: Vec<Option<u16>>) {
        if let Gaps::Trace { sorts, .. } = &mut self.gaps {
            *sorts = Arc::new(of_recorded);
        }
    }

    /// From `now` on the rate is this many times the base rate. The arrival that is awaited at `next_at` comes when what is
    /// left until then has passed at the new rate.
    pub fn set_surge(&mut self, factor: f64, now: Time, next_at: Option<Time>) -> Option<Time> {
        let before = std::mem::replace(&mut self.surge, factor);
        let (zero, from) = (self.zero as f64, now as f64);
        match &mut self.gaps {
            Gaps::Renewal(_) if factor == 0.0 => None,
            Gaps::Renewal(_) if before == 0.0 => self.next(now),
            Gaps::Renewal(_) => {
                let next_at = next_at?;
                match &self.shape {
                    None => Some(now + ((next_at - now) as f64 * before / factor + 0.5) as Span),
                    Some(shape) => {
                        let left = shape.integral(from - zero, next_at as f64 - zero) * before / factor;
                        shape.after(from - zero, left).map(|t| to_time(t, self.zero, now))
                    }
                }
            }
            Gaps::Modulated { modulation, drawn } => {
                let Drawn { modulation: then, stream, at, hazard } = *drawn.take()?;
                (*modulation, self.stream) = (then, stream);
                let clock = (self.shape.as_ref(), zero);
                let left = match modulation.walk((at, hazard), from, before, clock, &mut self.stream) {
                    Walked::Left(hazard) => hazard.max(0.0),
                    // It is due at this very instant.
                    Walked::Arrives(_) => 0.0,
                    Walked::Never => return None,
                };
                self.awaited(now, left)
            }
            Gaps::Once { .. } | Gaps::Trace { .. } => next_at,
        }
    }

    /// When a modulated process has used up a hazard from `now` on.
    fn awaited(&mut self, now: Time, hazard: f64) -> Option<Time> {
        let Gaps::Modulated { modulation, drawn } = &mut self.gaps else { return None };
        let at = now as f64;
        let stream = self.stream.clone();
        *drawn = Some(Box::new(Drawn { modulation: modulation.clone(), stream, at, hazard }));
        let clock = (self.shape.as_ref(), self.zero as f64);
        match modulation.walk((at, hazard), f64::INFINITY, self.surge, clock, &mut self.stream) {
            Walked::Arrives(at) => Some(((at + 0.5) as Time).max(now)),
            Walked::Left(_) | Walked::Never => None,
        }
    }

    /// What the trace says of the request whose instant was given last.
    pub fn traced(&self) -> Option<Traced> {
        match &self.gaps {
            Gaps::Trace { requests, sorts, next } => {
                let at = next - 1;
                Some(Traced { sort: sorts.get(at).copied().flatten(), key: requests[at].key })
            }
            _ => None,
        }
    }

    /// The first instant after `now` (for finite and recorded ones: not before it); `None` if there is none any more.
    #[inline(always)]
    pub fn next(&mut self, now: Time) -> Option<Time> {
        // The plainest process is short enough to be compiled into its caller.
        if let (Gaps::Renewal(dist), None) = (&self.gaps, &self.shape) {
            if self.surge == 0.0 {
                return None;
            }
            let gap = dist.sample(&mut self.stream);
            let gap = nearest(if self.surge == 1.0 { gap } else { gap / self.surge });
            return Some(now.saturating_add(gap));
        }
        self.next_of_rest(now)
    }

    fn next_of_rest(&mut self, now: Time) -> Option<Time> {
        match &mut self.gaps {
            Gaps::Renewal(_) if self.surge == 0.0 => None,
            Gaps::Renewal(dist) => {
                let shape = self.shape.as_ref().expect("the caller sees to a process without a shape");
                let gap = dist.sample(&mut self.stream) / self.surge;
                shape.after(now as f64 - self.zero as f64, gap).map(|t| to_time(t, self.zero, now))
            }
            Gaps::Modulated { .. } => {
                // What is left to be used up of a unit of hazard.
                let hazard = sim_core::ziggurat::unit_exponential(&mut self.stream);
                self.awaited(now, hazard)
            }
            Gaps::Once { at, left } => {
                if *left == 0 {
                    return None;
                }
                *left -= 1;
                Some((*at).max(now))
            }
            Gaps::Trace { requests, next, .. } => {
                let recorded = requests.get(*next)?;
                *next += 1;
                Some((self.zero + recorded.at).max(now))
            }
        }
    }
}

fn to_time(on_clock: f64, zero: Time, now: Time) -> Time {
    ((on_clock + zero as f64 + 0.5) as Time).max(now)
}
