//! Steps: what a handler does, as data.
//!
//! A handler is a list of steps. [`program`] turns it into a flat program whose places are numbers, so that a service
//! remembers only where each of its strands is.

pub mod demand;
pub mod program;

use settings::{CountDist, Duration, DurationDist, Fraction, Name, Setting, Size, Spanned};

use crate::policies::not_yet::NotYet;
use crate::policies::outcomes::OutcomeName;

/// One step of a handler.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum Step {
    /// Uses a core for this much work.
    #[setting(live)]
    Cpu(DurationDist),
    /// Waits without blocking: frees an event loop or `async` worker, but holds a thread.
    #[setting(live)]
    Wait(DurationDist),
    /// Blocks for a while, holding the thread, event loop or, with `async` and goroutines, a thread beside the workers.
    #[setting(live)]
    Block(DurationDist),
    /// Runs `cpu` and `block` steps on a thread beside an event loop (`offload_threads`) or the workers of `async`
    /// (`blocking_threads`), and waits for them without holding the loop. They still use the cores of the service.
    Offload(Vec<Step>),
    /// Makes a call over a link and waits for the answer.
    Call(CallStep),
    /// Makes a call over a link without waiting for the answer.
    Send(SendStep),
    /// Runs branches in parallel.
    Parallel(ParallelStep),
    /// Divides items among parallel tasks; each works through its share in sequence.
    Split(SplitStep),
    /// Repeats steps.
    Repeat {
        /// How often.
        times: CountDist,
        /// What.
        steps: Vec<Step>,
    },
    /// Runs one of several branches, chosen by weight.
    Choose(Vec<ChoiceSettings>),
    /// Runs steps under a lock, one call of a replica at a time.
    Lock {
        /// Name of the lock.
        name: Name,
        /// Whether waiting is ordered by priority.
        #[setting(default = false)]
        priority: bool,
        /// Priority inheritance: whether the holder is treated as being as important as its most important waiter, so that
        /// less important work does not preempt it.
        #[setting(default = false)]
        inherit: bool,
        /// Steps under the lock.
        steps: Vec<Step>,
    },
    /// Answers now and continues working.
    Reply(ReplyWord),
    /// Fails with some probability.
    Fail {
        /// Probability.
        #[setting(default = "100%")]
        probability: Fraction,
        /// Outcome of the failure.
        #[setting(default = "error")]
        outcome: OutcomeName,
    },
    /// Allocates memory, which is in use until the call ends. With `gc` it is then garbage, without it is free.
    Allocate(Size),
    /// Leaks a task: the call is answered, but its task never ends. It holds its thread; on an event loop and with
    /// `async` it holds nothing but is counted. Not within a branch, and not with runtime `unlimited`.
    Leak {
        /// Probability.
        #[setting(default = "100%")]
        probability: Fraction,
    },
}

/// A call over a link.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "link")]
pub struct CallStep {
    /// The link, one of this component's `calls`.
    pub link: Spanned<Name>,
    /// The operation to request. Defaults to that of the current call.
    pub op: Option<Spanned<Name>>,
    /// The data key. Defaults to that of the current call.
    pub key: Option<StepKey>,
    /// Bytes sent. Defaults to those of the current call.
    pub size: Option<Size>,
    /// Handling of a failed call. Without it the handler ends.
    pub on_failure: Option<OnFailure>,
}

/// The data that a call of a handler is about.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(bare = "Number")]
pub enum StepKey {
    /// Always the same key.
    Constant(u64),
    /// Always the same key.
    Number(u64),
    /// All keys equally often.
    Uniform(NotYet),
    /// The k-th most popular key in proportion to 1 / k^s.
    Zipf(NotYet),
    /// A few keys get a large share of the requests; the others share the rest.
    Hot(NotYet),
    /// All keys in sequence, then again from the first.
    Sequential(NotYet),
}

impl StepKey {
    /// The key, where it is always the same.
    pub fn key(&self) -> Option<u64> {
        match self {
            StepKey::Constant(key) | StepKey::Number(key) => Some(*key),
            StepKey::Uniform(never) | StepKey::Zipf(never) | StepKey::Hot(never) | StepKey::Sequential(never) => {
                match *never {}
            }
        }
    }
}

/// A call over a link whose answer nobody waits for.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "link")]
pub struct SendStep {
    /// The link, one of this component's `calls`.
    pub link: Spanned<Name>,
    /// The operation to request. Defaults to that of the current call.
    pub op: Option<Spanned<Name>>,
    /// The data key. Defaults to that of the current call.
    pub key: Option<StepKey>,
    /// Bytes sent. Defaults to those of the current call.
    pub size: Option<Size>,
}

/// Reaction to a failed call.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(bare = "Steps")]
pub enum OnFailure {
    /// Continue as if it had succeeded.
    Continue,
    /// End the handler with this answer.
    Reply(OutcomeName),
    /// Do these steps, then go on.
    Steps(Vec<Step>),
}

/// Answers that can be given before the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum ReplyWord {
    /// Success.
    Ok,
    /// Accepted; the work continues.
    Accepted,
}

/// How many branches must succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
#[setting(bare = "Number")]
pub enum Need {
    /// All of them.
    All,
    /// One.
    Any,
    /// So many.
    Number(u32),
}

/// When the branches begin, if starting one takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum CostModel {
    /// All starts are paid before any branch begins.
    SerialUpfront,
    /// Each branch begins after its own start.
    Staggered,
}

/// What starting and closing a task uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum CostOn {
    /// Time of the parent, nothing else.
    Elapsed,
    /// A core.
    Cpu,
}

/// Branches side by side.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "branches")]
pub struct ParallelStep {
    /// The branches, each a list of steps.
    pub branches: Vec<Vec<Step>>,
    /// Number of branches that must succeed before the handler continues; the others are then abandoned.
    #[setting(default = "all")]
    pub need: Need,
    /// Overhead of starting and closing a task.
    #[setting(default = "0s")]
    pub task_cost: Duration,
    /// When the branches begin.
    #[setting(default = "serial_upfront")]
    pub cost_model: CostModel,
    /// Whether the overhead uses a core or only time.
    #[setting(default = "elapsed")]
    pub cost_on: CostOn,
}

/// Items divided among tasks.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct SplitStep {
    /// Number of items.
    pub items: CountDist,
    /// Items per task.
    #[setting(default = 1, range = "1..=1000000000")]
    pub per_task: u64,
    /// Steps for each item.
    pub each: Vec<Step>,
    /// Overhead of starting and closing a task.
    #[setting(default = "0s")]
    pub task_cost: Duration,
    /// When the tasks begin.
    #[setting(default = "serial_upfront")]
    pub cost_model: CostModel,
    /// Whether the overhead uses a core or only time.
    #[setting(default = "elapsed")]
    pub cost_on: CostOn,
}

/// One of several things.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ChoiceSettings {
    /// Weight relative to the others.
    #[setting(default = 1, range = "0..=1000000")]
    pub weight: f64,
    /// What is done.
    pub steps: Vec<Step>,
}

/// Steps inside a step: how they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Once, in the handler's own course.
    Once,
    /// Once, in a branch beside others.
    Branch,
    /// In each turn of a loop, which may have none.
    Loop,
    /// In each turn of the loop of a task beside others.
    Tasks,
    /// Once or not at all.
    Perhaps,
}

impl Runs {
    /// Whether they need one of the strand's loop counters.
    pub fn is_loop(self) -> bool {
        match self {
            Runs::Loop | Runs::Tasks => true,
            Runs::Once | Runs::Branch | Runs::Perhaps => false,
        }
    }

    /// Whether they run beside others and end with them, instead of in the handler's own course.
    pub fn is_beside(self) -> bool {
        match self {
            Runs::Branch | Runs::Tasks => true,
            Runs::Once | Runs::Loop | Runs::Perhaps => false,
        }
    }

    /// Whether they run each time that the step around them does.
    pub fn is_certain(self) -> bool {
        match self {
            Runs::Once | Runs::Branch => true,
            Runs::Loop | Runs::Tasks | Runs::Perhaps => false,
        }
    }
}

/// A call over a link that a step makes: whoever walks the steps for their calls does not ask whether it waits.
#[derive(Clone, Copy, Debug)]
pub struct StepCall<'a> {
    /// The link.
    pub link: &'a Spanned<Name>,
    /// The operation; `None` for the one that is served.
    pub op: Option<&'a Spanned<Name>>,
    /// The data key; `None` for that of the call that is served.
    pub key: Option<&'a StepKey>,
    /// Bytes sent; `None` for as many as the call that is served brought.
    pub size: Option<Size>,
}

/// Tasks of one call that run at the same time, the call itself included; the mean where the number of items is random.
pub fn tasks_at_once(steps: &[Step]) -> f64 {
    steps.iter().map(Step::tasks_at_once).fold(1.0, f64::max)
}

impl Step {
    fn tasks_at_once(&self) -> f64 {
        let tasks = if let Step::Split(split) = self { split.items.0.mean() / split.per_task as f64 } else { 1.0 };
        self.inside().into_iter().fold(1.0, |so_far, (runs, steps)| match runs {
            // The steps around them wait.
            Runs::Branch => so_far + tasks_at_once(steps),
            Runs::Tasks | Runs::Once | Runs::Loop | Runs::Perhaps => so_far.max(tasks.max(1.0) * tasks_at_once(steps)),
        })
    }

    /// The lists of steps inside this one, and how each runs. Every walk over handlers goes through here.
    pub fn inside(&self) -> Vec<(Runs, &[Step])> {
        match self {
            Step::Parallel(parallel) => parallel.branches.iter().map(|b| (Runs::Branch, b.as_slice())).collect(),
            Step::Split(split) => vec![(Runs::Tasks, split.each.as_slice())],
            Step::Repeat { steps, .. } => vec![(Runs::Loop, steps)],
            Step::Choose(choices) => choices.iter().map(|c| (Runs::Perhaps, c.steps.as_slice())).collect(),
            Step::Lock { steps, .. } | Step::Offload(steps) => vec![(Runs::Once, steps)],
            Step::Call(call) => {
                call.on_failure.iter().filter_map(OnFailure::steps).map(|s| (Runs::Perhaps, s)).collect()
            }
            Step::Cpu(_)
            | Step::Wait(_)
            | Step::Block(_)
            | Step::Send(_)
            | Step::Reply(_)
            | Step::Fail { .. }
            | Step::Allocate(_)
            | Step::Leak { .. } => Vec::new(),
        }
    }

    /// The call that it makes over a link.
    pub fn call(&self) -> Option<StepCall<'_>> {
        match self {
            Step::Call(CallStep { link, op, key, size, on_failure: _ })
            | Step::Send(SendStep { link, op, key, size }) => {
                Some(StepCall { link, op: op.as_ref(), key: key.as_ref(), size: *size })
            }
            Step::Cpu(_)
            | Step::Wait(_)
            | Step::Block(_)
            | Step::Parallel(_)
            | Step::Split(_)
            | Step::Repeat { .. }
            | Step::Choose(_)
            | Step::Lock { .. }
            | Step::Offload(_)
            | Step::Reply(_)
            | Step::Fail { .. }
            | Step::Allocate(_)
            | Step::Leak { .. } => None,
        }
    }

    /// Whether it uses a core whenever it runs, apart from what the steps inside it do.
    pub fn uses_cpu(&self) -> bool {
        match self {
            Step::Cpu(_) => true,
            Step::Parallel(ParallelStep { cost_on, .. }) | Step::Split(SplitStep { cost_on, .. }) => {
                *cost_on == CostOn::Cpu
            }
            Step::Wait(_)
            | Step::Block(_)
            | Step::Call(_)
            | Step::Send(_)
            | Step::Repeat { .. }
            | Step::Choose(_)
            | Step::Lock { .. }
            | Step::Offload(_)
            | Step::Reply(_)
            | Step::Fail { .. }
            | Step::Allocate(_)
            | Step::Leak { .. } => false,
        }
    }
}

impl OnFailure {
    /// The steps that are done.
    pub fn steps(&self) -> Option<&[Step]> {
        match self {
            OnFailure::Steps(steps) => Some(steps),
            OnFailure::Continue | OnFailure::Reply(_) => None,
        }
    }
}

/// Walks all steps of a handler, those inside others included.
pub fn walk<'a>(steps: &'a [Step], visit: &mut impl FnMut(&'a Step)) {
    for step in steps {
        visit(step);
        step.inside().into_iter().for_each(|(_, steps)| walk(steps, visit));
    }
}

/// Walks the steps that run each time that the handler does, whatever happens on the way.
pub fn walk_certain<'a>(steps: &'a [Step], visit: &mut impl FnMut(&'a Step)) {
    for step in steps {
        // Behind it nothing is certain.
        if matches!(step, Step::Fail { .. }) {
            return;
        }
        visit(step);
        for (_, steps) in step.inside().into_iter().filter(|(runs, _)| runs.is_certain()) {
            walk_certain(steps, visit);
        }
    }
}
