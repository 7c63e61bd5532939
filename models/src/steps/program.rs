//! Handlers as flat programs.
//!
//! Each step becomes one or a few instructions; loops, choices and branches become jumps. A strand of work is then a
//! number, its place in the program, and nothing is allocated while it runs.

use sim_core::Outcome;
use sim_core::Span;
use sim_core::dist::Dist;
use sim_core::keys::AliasTable;

use super::{
    CallStep, ChoiceSettings, CostModel, CostOn, Need, OnFailure, ParallelStep, ReplyWord, SplitStep, Step, StepKey,
};

/// A place in a program.
pub type Place = u32;

/// Loops may be nested so deep.
pub const LOOPS: usize = 4;

/// What a call asks for, where that differs from the call that is served.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Asks {
    /// The operation.
    pub op: Option<u16>,
    /// The data key.
    pub key: Option<u64>,
    /// Bytes sent.
    pub size_bytes: Option<u64>,
}

/// What happens where a call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// The handler ends.
    Ends,
    /// It goes on.
    Continues,
    /// It ends with this answer.
    Replies(Outcome),
    /// It goes on there.
    Jumps(Place),
}

/// What starting tasks costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// For one task.
    pub each: Span,
    /// Each begins after its own start, instead of all after all.
    pub staggered: bool,
    /// It uses a core, instead of only time.
    pub on_cpu: bool,
}

/// One instruction.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// Use a core.
    Cpu(Dist),
    /// Use a core, for as many times as long as the request demands.
    CpuByDemand(Dist),
    /// Wait without blocking.
    Wait(Dist),
    /// Wait and block.
    Block(Dist),
    /// Call and wait for the answer.
    Call {
        /// Number of the link.
        link: u16,
        /// Operation requested.
        asks: Asks,
        /// What happens where it fails.
        failure: Failure,
    },
    /// Call and go on.
    Send {
        /// Number of the link.
        link: u16,
        /// Operation requested.
        asks: Asks,
    },
    /// Start branches and wait for enough of them.
    Fork {
        /// Where each begins.
        branches: Vec<Place>,
        /// How many must succeed.
        need: u32,
        /// What starting them costs.
        cost: Cost,
        /// Where it goes on.
        after: Place,
    },
    /// Start tasks for items and wait for all of them.
    Split {
        /// How many items there are.
        items: Dist,
        /// How many of them one task takes.
        per_task: u64,
        /// Where each task begins.
        body: Place,
        /// What starting them costs.
        cost: Cost,
        /// Where it goes on.
        after: Place,
    },
    /// A branch is over.
    EndBranch,
    /// Begin a loop.
    Loop {
        /// How many times; for none at all it goes on after the loop.
        times: Dist,
        /// Which of the strand's counters counts.
        slot: u8,
        /// Behind the loop.
        after: Place,
    },
    /// Once more, or go on.
    Again {
        /// Which of the strand's counters counts.
        slot: u8,
        /// Where the loop begins.
        begin: Place,
    },
    /// Jump to one of these places.
    Choose {
        /// How likely each is.
        weights: AliasTable,
        /// The places.
        places: Vec<Place>,
    },
    /// Go on there.
    Jump(Place),
    /// Take a lock or wait for it.
    Lock {
        /// Number of the lock.
        lock: u16,
        /// The most important of those who wait is next, instead of the first.
        by_priority: bool,
        /// Who holds it counts as important as those who wait.
        inherits: bool,
    },
    /// Give a lock back.
    Unlock {
        /// Number of the lock.
        lock: u16,
    },
    /// Go on with a thread beside the workers.
    Offload,
    /// Give it back and wait for a worker.
    ComeBack,
    /// Answer now.
    Reply(Outcome),
    /// Fail, sometimes.
    Fail {
        /// How often, from 0 to 1.
        probability: f64,
        /// With what.
        outcome: Outcome,
    },
    /// Memory for the call.
    Allocate {
        /// How much.
        bytes: u64,
    },
    /// The task stays for ever, sometimes.
    Leak {
        /// How often, from 0 to 1.
        probability: f64,
    },
    /// The handler is over.
    End,
}

/// What compiling needs to know of its surroundings.
pub trait Names {
    /// The number of a link.
    fn link(&self, name: &str) -> u16;
    /// The number of an operation.
    fn op(&self, name: &str) -> u16;
    /// The number of a lock.
    fn lock(&mut self, name: &str) -> u16;
}

/// The handlers of a service.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// All instructions.
    pub code: Vec<Instruction>,
}

impl Program {
    /// Adds a handler; where it begins.
    pub fn add(&mut self, steps: &[Step], names: &mut impl Names) -> Place {
        let begin = self.here();
        self.steps(steps, names, 0);
        self.code.push(Instruction::End);
        begin
    }

    /// Requests differ in how much work they ask for, and cores do what they ask for.
    pub fn heed_demand(&mut self) {
        for instruction in &mut self.code {
            if let Instruction::Cpu(work) = instruction {
                *instruction = Instruction::CpuByDemand(work.clone());
            }
        }
    }

    fn here(&self) -> Place {
        self.code.len() as Place
    }

    fn steps(&mut self, steps: &[Step], names: &mut impl Names, depth: u8) {
        for step in steps {
            self.step(step, names, depth);
        }
    }

    /// Puts a placeholder that is filled in later.
    fn later(&mut self) -> usize {
        self.code.push(Instruction::End);
        self.code.len() - 1
    }

    fn step(&mut self, step: &Step, names: &mut impl Names, depth: u8) {
        match step {
            Step::Cpu(dist) => self.code.push(Instruction::Cpu(dist.0.clone())),
            Step::Wait(dist) => self.code.push(Instruction::Wait(dist.0.clone())),
            Step::Block(dist) => self.code.push(Instruction::Block(dist.0.clone())),
            Step::Call(call) => self.call(call, asks(step, names), names, depth),
            Step::Send(send) => {
                let (link, asks) = (names.link(send.link.as_str()), asks(step, names));
                self.code.push(Instruction::Send { link, asks });
            }
            Step::Parallel(parallel) => self.parallel(parallel, names),
            Step::Split(split) => self.split(split, names),
            Step::Repeat { times, steps } => {
                let at = self.later();
                let begin = self.here();
                self.steps(steps, names, depth + 1);
                self.code.push(Instruction::Again { slot: depth, begin });
                self.code[at] = Instruction::Loop { times: times.0.clone(), slot: depth, after: self.here() };
            }
            Step::Choose(choices) => self.choose(choices, names, depth),
            Step::Lock { name, priority, inherit, steps } => {
                let lock = names.lock(name.as_str());
                self.code.push(Instruction::Lock { lock, by_priority: *priority, inherits: *inherit });
                self.steps(steps, names, depth);
                self.code.push(Instruction::Unlock { lock });
            }
            Step::Offload(steps) => {
                self.code.push(Instruction::Offload);
                self.steps(steps, names, depth);
                self.code.push(Instruction::ComeBack);
            }
            Step::Reply(word) => self.code.push(Instruction::Reply(match word {
                ReplyWord::Ok => Outcome::Ok,
                ReplyWord::Accepted => Outcome::Accepted,
            })),
            Step::Fail { probability, outcome } => {
                self.code.push(Instruction::Fail { probability: probability.0, outcome: outcome.outcome() });
            }
            Step::Allocate(bytes) => self.code.push(Instruction::Allocate { bytes: bytes.0 }),
            Step::Leak { probability } => self.code.push(Instruction::Leak { probability: probability.0 }),
        }
    }

    fn parallel(&mut self, parallel: &ParallelStep, names: &mut impl Names) {
        let at = self.later();
        let branches = parallel.branches.iter().map(|branch| self.branch(branch, names)).collect::<Vec<_>>();
        let need = match parallel.need {
            Need::All => branches.len() as u32,
            Need::Any => 1,
            Need::Number(n) => n,
        };
        let cost = cost(parallel.task_cost.0, parallel.cost_model, parallel.cost_on);
        self.code[at] = Instruction::Fork { branches, need, cost, after: self.here() };
    }

    fn split(&mut self, split: &SplitStep, names: &mut impl Names) {
        let at = self.later();
        let body = self.here();
        // The items of a task are loop 0 of its strand.
        self.steps(&split.each, names, 1);
        self.code.push(Instruction::Again { slot: 0, begin: body });
        self.code.push(Instruction::EndBranch);
        let cost = cost(split.task_cost.0, split.cost_model, split.cost_on);
        let (items, per_task) = (split.items.0.clone(), split.per_task);
        self.code[at] = Instruction::Split { items, per_task, body, cost, after: self.here() };
    }

    fn choose(&mut self, choices: &[ChoiceSettings], names: &mut impl Names, depth: u8) {
        let at = self.later();
        let mut places = Vec::new();
        let mut ends = Vec::new();
        for choice in choices {
            places.push(self.here());
            self.steps(&choice.steps, names, depth);
            ends.push(self.later());
        }
        let after = self.here();
        for end in ends {
            self.code[end] = Instruction::Jump(after);
        }
        let weights: Vec<f64> = choices.iter().map(|c| c.weight).collect();
        self.code[at] = match AliasTable::new(&weights) {
            Ok(weights) => Instruction::Choose { weights, places },
            // Refused when the scenario is checked; without weights nothing is chosen.
            Err(_) => Instruction::Jump(after),
        };
    }

    fn call(&mut self, call: &CallStep, asks: Asks, names: &mut impl Names, depth: u8) {
        let link = names.link(call.link.as_str());
        match &call.on_failure {
            None => self.code.push(Instruction::Call { link, asks, failure: Failure::Ends }),
            Some(OnFailure::Continue) => self.code.push(Instruction::Call { link, asks, failure: Failure::Continues }),
            Some(OnFailure::Reply(outcome)) => {
                let failure = Failure::Replies(outcome.outcome());
                self.code.push(Instruction::Call { link, asks, failure });
            }
            Some(OnFailure::Steps(steps)) => {
                let at = self.later();
                let over = self.later();
                let failure = Failure::Jumps(self.here());
                self.steps(steps, names, depth);
                self.code[at] = Instruction::Call { link, asks, failure };
                self.code[over] = Instruction::Jump(self.here());
            }
        }
    }

    fn branch(&mut self, steps: &[Step], names: &mut impl Names) -> Place {
        let begin = self.here();
        self.steps(steps, names, 0);
        self.code.push(Instruction::EndBranch);
        begin
    }
}

/// What the call of a step asks for.
fn asks(step: &Step, names: &impl Names) -> Asks {
    step.call().map_or(Asks::default(), |call| Asks {
        op: call.op.map(|op| names.op(op.as_str())),
        key: call.key.and_then(StepKey::key),
        size_bytes: call.size.map(|size| size.0),
    })
}

fn cost(each: Span, model: CostModel, on: CostOn) -> Cost {
    Cost { each, staggered: model == CostModel::Staggered, on_cpu: on == CostOn::Cpu }
}
