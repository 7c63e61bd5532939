//! The thread that runs the simulation, and the views that it publishes.
//!
//! The thread owns a [`Deck`], receives commands from a channel, runs in stretches of about ten milliseconds of real time at
//! most, and publishes the newest [`View`]; the screen takes one per frame. At a fixed pace it runs to the instant that is
//! due once per frame, publishes, and sleeps until the next frame; flat out it never sleeps. Pace, pauses and observation
//! only determine where a stretch ends, so they cannot change a result.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lab::requests::Requests;
use lab::result::Snapshot;
use language::menu::FaultChoice;

use crate::deck::{Change, Deck, Doing, Side};
use crate::simulation::{Happening, Knob, Simulation};

/// Target length of a stretch in real time: short enough to respond to a key immediately.
const STRETCH: Duration = Duration::from_millis(10);
/// Work between two checkpoints, in real time: the maximum cost of going back near the instant being watched.
const CHECKPOINT_WORK: Duration = Duration::from_millis(250);
/// Interval at which views are published while the run advances; at a fixed pace, also the interval at which the thread
/// wakes up.
const FRAME: Duration = Duration::from_millis(33);

/// Speed of simulated time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Simulated seconds per real second.
    Times(f64),
    /// As fast as the machine can.
    FlatOut,
}

/// The available paces, slowest first; [`Pace::FlatOut`] follows the last.
const PACES: [f64; 17] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];

impl Pace {
    /// The next faster one.
    pub fn faster(self) -> Pace {
        match self {
            Pace::FlatOut => Pace::FlatOut,
            Pace::Times(times) => {
                PACES.iter().find(|&&other| other > times * 1.001).map_or(Pace::FlatOut, |&other| Pace::Times(other))
            }
        }
    }

    /// The next slower one.
    pub fn slower(self) -> Pace {
        let below = match self {
            Pace::FlatOut => f64::INFINITY,
            Pace::Times(times) => times * 0.999,
        };
        Pace::Times(PACES.iter().rev().find(|&&other| other < below).copied().unwrap_or(PACES[0]))
    }
}

/// Commands from the screen to the player.
#[derive(Debug)]
pub enum Command {
    /// Resumes (true) or pauses (false).
    Play(bool),
    /// Changes the pace.
    Pace(Pace),
    /// Pauses and moves forward or back by this many nanoseconds.
    Step(i64),
    /// Goes to an instant, ns. Then continues to play if it was playing, except from the end of the run.
    Seek(i64),
    /// Moves by this many nanoseconds from the target of the current seek, so that two commands go twice as far.
    SeekBy(i64),
    /// Makes a change now in the future in focus.
    Make(Doing),
    /// Undoes the newest change.
    TakeBack,
    /// Starts a second future.
    Branch,
    /// Starts a second future with a change that the first does not get.
    Fork(Doing),
    /// Ends the branch and keeps one of the futures.
    KeepOnly(Side),
    /// Focuses a future: further commands act on it.
    Focus(Side),
    /// Sends the scenario with all changes of the future in focus.
    Export(Sender<String>),
    /// Stops pausing at the instants of [`PlayerOptions::stops_ns`].
    SkipStops,
}

/// Initial options of a player.
#[derive(Clone, Debug)]
pub struct PlayerOptions {
    /// False to start paused.
    pub playing: bool,
    /// The initial pace.
    pub pace: Pace,
    /// Instants at which playback pauses by itself, ns.
    pub stops_ns: Vec<i64>,
    /// Changes to make on the way, in chronological order.
    pub changes: Vec<Change>,
    /// Maximum number of checkpoints.
    pub checkpoints_max: usize,
    /// Maximum memory of the checkpoints where it is known, bytes.
    pub checkpoint_bytes_max: u64,
}

impl Default for PlayerOptions {
    fn default() -> Self {
        PlayerOptions {
            playing: true,
            pace: Pace::Times(1.0),
            stops_ns: Vec::new(),
            changes: Vec::new(),
            checkpoints_max: 64,
            checkpoint_bytes_max: 64 << 20,
        }
    }
}

/// A snapshot of one future.
#[derive(Clone, Debug, Default)]
pub struct Future {
    /// Which future it is.
    pub side: Side,
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// The user's changes, including those still to be repeated.
    pub changes: Vec<Change>,
    /// The events that the simulation reported.
    pub happenings: Vec<Happening>,
    /// Traced requests, if there are any.
    pub requests: Option<Requests>,
}

/// A message to show once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// A sequence number, so that the same text can be shown twice.
    pub number: u64,
    /// The text.
    pub text: String,
    /// True for a failure.
    pub bad: bool,
}

/// Everything that the screen can show at an instant.
#[derive(Clone, Debug)]
pub struct View {
    /// The futures: one, or two after a branch.
    pub futures: Vec<Future>,
    /// The future that commands act on.
    pub focus: Side,
    /// False while paused.
    pub playing: bool,
    /// The pace requested.
    pub pace: Pace,
    /// The pace reached, in simulated seconds per real second; `None` while paused.
    pub actual: Option<f64>,
    /// The target of the current seek, ns.
    pub seeking_ns: Option<i64>,
    /// The instant reached, ns.
    pub now_ns: i64,
    /// The beginning of the run, ns.
    pub start_ns: i64,
    /// The end of the run, ns.
    pub end_ns: i64,
    /// Width of a window of the series, ns.
    pub window_ns: i64,
    /// The instant of the fork, ns.
    pub fork_ns: Option<i64>,
    /// Number of changes that both futures share.
    pub shared_changes: usize,
    /// Settings of the future in focus.
    pub knobs: Arc<Vec<Knob>>,
    /// Faults that can be injected.
    pub faults: Arc<Vec<FaultChoice>>,
    /// The latest message.
    pub notice: Notice,
}

impl View {
    /// A view of one future at rest, for tests and for the first frame.
    pub fn still(snapshot: Snapshot) -> View {
        let nanoseconds = |seconds: f64| (seconds * 1e9).round() as i64;
        let (now, start, end) =
            (nanoseconds(snapshot.at_s), nanoseconds(snapshot.from_s), nanoseconds(snapshot.until_s));
        let window = nanoseconds(snapshot.series.window_s).max(1);
        View {
            futures: vec![Future { snapshot: Arc::new(snapshot), ..Future::default() }],
            focus: Side::Original,
            playing: false,
            pace: Pace::Times(1.0),
            actual: None,
            seeking_ns: None,
            now_ns: now,
            start_ns: start,
            end_ns: end,
            window_ns: window,
            fork_ns: None,
            shared_changes: 0,
            knobs: Arc::default(),
            faults: Arc::default(),
            notice: Notice::default(),
        }
    }

    /// The future in focus.
    pub fn focused(&self) -> &Future {
        self.futures.iter().find(|future| future.side == self.focus).unwrap_or(&self.futures[0])
    }
}

struct Shared {
    view: Mutex<Arc<View>>,
    stopped: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Arc<View>> {
        // A view is replaced as a whole, so it is valid even if a thread died while holding the lock.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A simulation that runs on a thread of its own.
pub struct Player<S> {
    commands: Option<Sender<Command>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<S>>,
}

impl<S: Simulation> Player<S> {
    /// Starts the thread.
    pub fn start(simulation: S, options: PlayerOptions) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let mut engine = Engine::new(simulation, options);
        let shared = Arc::new(Shared { view: Mutex::new(Arc::new(engine.view())), stopped: AtomicBool::new(false) });
        let published = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("simulation".into()).spawn(move || {
            let _flag = RaiseOnDrop(Arc::clone(&published));
            engine.serve(&inbox, &published);
            engine.deck.into_focused()
        })?;
        Ok(Player { commands: Some(commands), shared, thread: Some(thread) })
    }

    /// Sends a command; a player that has stopped ignores it.
    pub fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }

    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.shared.lock())
    }

    /// True once the thread has ended, which before [`Player::stop`] means that it has failed.
    pub fn stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }

    /// Ends the thread and returns the future in focus; `None` if the simulation has panicked.
    pub fn stop(mut self) -> Option<S> {
        self.commands = None;
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

impl<S> Drop for Player<S> {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct RaiseOnDrop(Arc<Shared>);

impl Drop for RaiseOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Release);
    }
}

/// The next action of the thread.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Runs towards an instant, ns.
    Run(i64),
    /// Sleeps until the next frame or a command.
    SleepUntil(Instant),
    /// Waits for a command.
    Wait,
}

/// The state of the thread.
struct Engine<S> {
    deck: Deck<S>,
    playing: bool,
    pace: Pace,
    goal: Option<i64>,
    stops: Vec<i64>,
    anchor: (Instant, i64),
    /// The instant that the current frame runs to, ns, and the start of the next frame. Only used at a fixed pace.
    frame: (i64, Instant),
    meter: Meter,
    notice: Notice,
    knobs: Arc<Vec<Knob>>,
    knobs_stale: bool,
    faults: Arc<Vec<FaultChoice>>,
}

impl<S: Simulation> Engine<S> {
    fn new(simulation: S, options: PlayerOptions) -> Self {
        let faults = Arc::new(simulation.faults_to_choose());
        let deck =
            Deck::with_changes(simulation, options.changes, options.checkpoints_max, options.checkpoint_bytes_max);
        let now = deck.now_ns();
        Engine {
            deck,
            playing: options.playing,
            pace: options.pace,
            goal: None,
            stops: options.stops_ns,
            anchor: (Instant::now(), now),
            frame: (now, Instant::now()),
            meter: Meter::new(now),
            notice: Notice::default(),
            knobs: Arc::default(),
            knobs_stale: true,
            faults,
        }
    }

    /// Runs until the other end of the channel is closed.
    fn serve(&mut self, inbox: &Receiver<Command>, shared: &Shared) {
        let mut published = Instant::now();
        let mut stale = true;
        // Respond to a command immediately, not with the next frame.
        let mut is_asked = false;
        loop {
            self.arrive();
            let next = self.next();
            let rests = !matches!(next, Next::Run(_));
            if stale && (is_asked || rests || published.elapsed() >= FRAME) {
                *shared.lock() = Arc::new(self.view());
                published = Instant::now();
                stale = false;
                is_asked = false;
            }
            let received = match next {
                Next::Wait => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Next::SleepUntil(wake) => inbox.recv_timeout(wake.saturating_duration_since(Instant::now())),
                Next::Run(_) => inbox.try_recv().map_err(|error| match error {
                    mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                    mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
            };
            match received {
                Ok(command) => {
                    self.obey(command);
                    stale = true;
                    is_asked = true;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Next::Run(target) = next {
                self.stretch(target);
                stale = true;
            }
        }
    }

    /// Determines the next action.
    fn next(&mut self) -> Next {
        let now = self.deck.now_ns();
        if let Some(goal) = self.goal {
            return Next::Run(goal);
        }
        let end = self.deck.focused().end_ns();
        if !self.playing || now >= end {
            return Next::Wait;
        }
        let stop = self.stops.iter().copied().filter(|&stop| stop > now).min().unwrap_or(end).min(end);
        let Pace::Times(times) = self.pace else { return Next::Run(stop) };
        let real = Instant::now();
        if self.frame.0 <= now && self.frame.1 <= real {
            let due = self.anchor.1 + (real.duration_since(self.anchor.0).as_nanos() as f64 * times) as i64;
            // Drop the time that the simulation could not keep up with; otherwise a rush would follow a slow stretch.
            if due - now > (times * 0.1 * 1e9) as i64 {
                self.anchor = (real, now);
            }
            self.frame = (due, real + FRAME);
        }
        match self.frame.0.min(stop) {
            due if due > now => Next::Run(due),
            _ => Next::SleepUntil(self.frame.1),
        }
    }

    /// Runs for about [`STRETCH`] of real time, but not beyond `target`.
    fn stretch(&mut self, target: i64) {
        let (now, events) = (self.deck.now_ns(), self.deck.events());
        let began = Instant::now();
        self.deck.run_until(target.min(now.saturating_add(self.meter.span_ns)));
        self.meter.ran(self.deck.now_ns() - now, self.deck.events().saturating_sub(events), began.elapsed());
        if self.deck.now_ns() <= now {
            // The run has ended early: no events are left.
            (self.goal, self.playing) = (None, false);
        }
        let began = Instant::now();
        if self.deck.keep_checkpoint(self.meter.checkpoint_spacing()) {
            self.meter.cloned(began.elapsed());
        }
    }

    /// Ends a seek that has reached its target, or playback at a stop.
    fn arrive(&mut self) {
        let now = self.deck.now_ns();
        if self.goal.is_some_and(|goal| now >= goal) {
            self.goal = None;
            self.knobs_stale = true;
            self.rest();
        } else if self.goal.is_none() && self.playing && self.stops.contains(&now) {
            self.stops.retain(|&stop| stop != now);
            self.playing = false;
            self.rest();
        }
    }

    /// Restarts the measurement of real time.
    fn rest(&mut self) {
        let (real, now) = (Instant::now(), self.deck.now_ns());
        self.anchor = (real, now);
        self.frame = (now, real);
        self.meter.restart(now);
    }

    fn obey(&mut self, command: Command) {
        // A seek invalidates the settings when it reaches its target.
        let may_change_knobs = matches!(
            command,
            Command::Make(_)
                | Command::TakeBack
                | Command::Branch
                | Command::Fork(_)
                | Command::KeepOnly(_)
                | Command::Focus(_)
        );
        self.knobs_stale |= may_change_knobs;
        match command {
            Command::Play(playing) => self.playing = playing,
            Command::Pace(pace) => self.pace = pace,
            Command::Step(by) => {
                self.playing = false;
                let from = self.goal.unwrap_or(self.deck.now_ns());
                self.seek(from.saturating_add(by));
            }
            Command::Seek(at_ns) => self.seek(at_ns),
            Command::SeekBy(by) => self.seek(self.goal.unwrap_or(self.deck.now_ns()).saturating_add(by)),
            Command::Make(doing) => self.make(doing),
            Command::TakeBack => {
                let here = self.goal.unwrap_or(self.deck.now_ns());
                match self.deck.take_back() {
                    Ok(change) => {
                        self.tell(format!("taken back: {}", change.doing), false);
                        self.goal = Some(here);
                    }
                    Err(problem) => self.tell(problem, true),
                }
            }
            Command::Branch => match self.deck.branch() {
                Ok(()) => self.tell("two futures from here: changes go to B; A stays as it is".into(), false),
                Err(problem) => self.tell(problem, true),
            },
            Command::Fork(doing) => self.fork(doing),
            Command::KeepOnly(side) => match self.deck.keep_only(side) {
                Ok(()) => self.tell(format!("kept {}", side.letter()), false),
                Err(problem) => self.tell(problem, true),
            },
            Command::Focus(side) => self.deck.focus_on(side),
            Command::Export(reply) => {
                let _ = reply.send(self.deck.focused().export());
            }
            Command::SkipStops => self.stops.clear(),
        }
        self.rest();
    }

    fn seek(&mut self, at_ns: i64) {
        let (start, end) = (self.deck.focused().start_ns(), self.deck.focused().end_ns());
        let goal = at_ns.clamp(start, end.max(start));
        // A user who goes back from the end wants to look at something, so playback does not resume.
        self.playing &= self.deck.now_ns() < end || goal >= end;
        self.deck.rewind_towards(goal);
        self.goal = Some(goal);
    }

    fn make(&mut self, doing: Doing) {
        if self.goal.is_some() {
            return self.tell("wait until the instant is reached".into(), true);
        }
        let words = doing.to_string();
        match self.deck.make(doing) {
            Ok(0) => self.tell(words, false),
            Ok(dropped) => self.tell(format!("{words}; {dropped} later change(s) of this future dropped"), false),
            Err(problem) => self.tell(problem, true),
        }
    }

    fn fork(&mut self, doing: Doing) {
        if self.goal.is_some() {
            return self.tell("wait until the instant is reached".into(), true);
        }
        let words = doing.short();
        let forked = self.deck.branch().and_then(|()| {
            // A rejected change must not leave a branch behind.
            self.deck.make(doing).inspect_err(|_| {
                let _ = self.deck.keep_only(Side::Original);
            })
        });
        match forked {
            Ok(_) => self.tell(format!("B forks here with {words}"), false),
            Err(problem) => self.tell(problem, true),
        }
    }

    fn tell(&mut self, text: String, bad: bool) {
        self.notice = Notice { number: self.notice.number + 1, text, bad };
    }

    fn view(&mut self) -> View {
        if std::mem::take(&mut self.knobs_stale) {
            self.knobs = Arc::new(self.deck.focused().knobs());
        }
        let future = |side: Side| {
            self.deck.side(side).map(|simulation| Future {
                side,
                snapshot: Arc::new(simulation.snapshot()),
                changes: self.deck.changes(side),
                happenings: simulation.happenings(),
                requests: simulation.requests(),
            })
        };
        let focused = self.deck.focused();
        View {
            futures: [Side::Original, Side::Branch].into_iter().filter_map(future).collect(),
            focus: self.deck.focus(),
            playing: self.playing,
            pace: self.pace,
            actual: (self.playing && self.deck.now_ns() < focused.end_ns())
                .then(|| self.meter.speed(self.deck.now_ns())),
            seeking_ns: self.goal.filter(|&goal| goal > self.deck.now_ns()),
            now_ns: self.deck.now_ns(),
            start_ns: focused.start_ns(),
            end_ns: focused.end_ns(),
            window_ns: i64::try_from(focused.window_ns()).unwrap_or(i64::MAX).max(1),
            fork_ns: self.deck.fork_ns(),
            shared_changes: self.deck.shared_changes(),
            knobs: Arc::clone(&self.knobs),
            faults: Arc::clone(&self.faults),
            notice: self.notice.clone(),
        }
    }
}

/// Measures the speed of the simulation, which determines the length of stretches and the spacing of checkpoints.
struct Meter {
    /// Simulated time of the next stretch, ns.
    span_ns: i64,
    /// Events per second of work, smoothed.
    events_per_s: f64,
    /// Events and seconds of work since that rate was last updated.
    unmeasured: (u64, f64),
    /// Cost of taking a checkpoint, s.
    clone_s: f64,
    since: (Instant, i64),
    speed: Option<f64>,
}

impl Meter {
    fn new(now_ns: i64) -> Self {
        Meter {
            span_ns: 1_000_000,
            events_per_s: 1e6,
            unmeasured: (0, 0.0),
            clone_s: 0.0,
            since: (Instant::now(), now_ns),
            speed: None,
        }
    }

    fn ran(&mut self, span_ns: i64, events: u64, took: Duration) {
        let took_s = took.as_secs_f64().max(1e-7);
        let fitting = span_ns as f64 * (STRETCH.as_secs_f64() / took_s).clamp(0.25, 4.0);
        // A stretch cut short by its target says nothing about longer ones.
        if took >= STRETCH / 2 || span_ns >= self.span_ns {
            self.span_ns = fitting.clamp(1e3, 1e15) as i64;
        }
        // A single short stretch says little: the thread may have had to wait for a core.
        self.unmeasured = (self.unmeasured.0 + events, self.unmeasured.1 + took_s);
        if self.unmeasured.1 > CHECKPOINT_WORK.as_secs_f64() / 4.0 {
            let (events, took_s) = std::mem::take(&mut self.unmeasured);
            self.events_per_s += 0.2 * (events as f64 / took_s - self.events_per_s);
        }
    }

    fn cloned(&mut self, took: Duration) {
        self.clone_s = took.as_secs_f64();
    }

    /// Events between checkpoints: a quarter of a second of work, and enough that taking checkpoints costs less than a tenth.
    fn checkpoint_spacing(&self) -> u64 {
        let work_s = CHECKPOINT_WORK.as_secs_f64().max(10.0 * self.clone_s);
        (self.events_per_s * work_s).max(1.0) as u64
    }

    fn restart(&mut self, now_ns: i64) {
        self.since = (Instant::now(), now_ns);
    }

    /// Simulated seconds per real second over at least the last half second.
    fn speed(&mut self, now_ns: i64) -> f64 {
        let real_s = self.since.0.elapsed().as_secs_f64();
        if real_s > 0.5 {
            self.speed = Some((now_ns - self.since.1) as f64 / 1e9 / real_s);
            self.restart(now_ns);
        }
        self.speed.unwrap_or(0.0)
    }
}
