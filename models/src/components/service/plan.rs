//! What all replicas of a service share: its handlers as programs, and the settings that matter while it runs.

use std::sync::Arc;

use settings::Map;
use sim_core::dist::Dist;
use sim_core::{CallId, Cx, Span};

use crate::admission::AdmissionSettings;
use crate::link::sample;
use crate::runtimes::{Blocking, Facts};
use crate::steps::program::{Instruction, Names, Place, Program};
use crate::steps::{Step, walk};

/// The purpose of the draws that steps make.
pub(super) const PURPOSE_STEP: u32 = 0x7374;

/// The purpose of the draw of how long an instance takes to start.
pub(super) const PURPOSE_START: u32 = 0x7375;

/// The purpose of the draw of how many calls a worker serves.
pub(super) const PURPOSE_RECYCLE: u32 = 0x7263;

/// What a replica goes by while it runs: all that can change live.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) facts: Facts,
    pub(super) admission: AdmissionSettings,
}

/// What all replicas share; fixed but for what a live change replaces.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) terms: Terms,
    pub(super) program: Program,
    /// Where the handler of each operation begins.
    pub(super) handlers: Vec<Option<Place>>,
    /// The handlers that are a single step which nothing interrupts, by operation; empty where there are none.
    pub(super) singles: Vec<Option<Single>>,
    /// The step of every operation that it handles, where that is one and the same: most services have one handler.
    pub(super) only: Option<Single>,
    pub(super) locks: usize,
    /// Whether any handler has a `leak`.
    pub(super) can_leak: bool,
    /// Whether any handler has an `offload`.
    pub(super) offloads: bool,
    /// Cores of each instance, in millionths, where work shares them with nothing else; 0 for a whole one.
    cores: u64,
    /// What handlers are compiled with.
    names: Arc<Compiled>,
    pub(super) changes: Vec<(u32, Change)>,
}

/// What compiling handlers needs to know of the rest of the system.
#[derive(Clone, Debug)]
struct Compiled {
    links: Vec<String>,
    ops: Vec<String>,
    cpu: Work,
}

/// What a live change replaces: the terms, and how long steps take. The steps themselves stay.
#[derive(Clone, Debug)]
pub(super) struct Change {
    terms: Terms,
    program: Program,
    singles: Vec<Option<Single>>,
    only: Option<Single>,
}

impl Plan {
    /// For handlers that call over these links.
    pub(super) fn new(terms: Terms, handlers: &Map<Vec<Step>>, links: &[&str], ops: &[String], cpu: Work) -> Plan {
        let (mut can_leak, mut offloads) = (false, false);
        for handler in handlers {
            walk(&handler.value, &mut |step| {
                can_leak |= matches!(step, Step::Leak { .. });
                offloads |= matches!(step, Step::Offload(_));
            });
        }
        let mut compiler = Compiler { links, ops, locks: Vec::new() };
        let mut program = Program::default();
        let places: Vec<(&str, Place)> = handlers
            .iter()
            .map(|handler| (handler.name.as_str(), program.add(&handler.value, &mut compiler)))
            .collect();
        if cpu.by_demand {
            program.heed_demand();
        }
        let of = |op: &str| places.iter().find(|(name, _)| *name == op).map(|(_, place)| *place);
        let handlers: Vec<Option<Place>> = ops.iter().map(|op| of(op).or_else(|| of("default"))).collect();
        let locks = compiler.locks.len();
        let Facts { start, close, switch, recycle, instances, .. } = terms.facts;
        let is_simple = !terms.facts.takes_turns()
            && terms.facts.blocking == Blocking::InPlace
            && (start, close, switch) == (0, 0, 0)
            && recycle.is_none()
            && instances.is_none()
            && !cpu.has_memory
            && !terms.admission.preempts()
            && !terms.admission.heeds_ends()
            && !cpu.is_tied;
        let single = |place: &Option<Place>| place.and_then(|p| Single::of(&program, p, cpu.shares_cores));
        let singles = if is_simple { handlers.iter().map(single).collect() } else { Vec::new() };
        let handled = singles.iter().zip(&handlers).filter(|(_, handler)| handler.is_some());
        let mut of_handled = handled.map(|(single, _): (&Option<Single>, _)| single);
        let first = of_handled.next().cloned().flatten();
        let only = first.filter(|first| of_handled.all(|single| single.as_ref() == Some(first)));
        let cores = cpu.alone.map_or(0, |cores| (cores.min(1.0) * 1e6).round() as u64);
        let links = links.iter().map(|link| link.to_string()).collect();
        let names = Arc::new(Compiled { links, ops: ops.to_vec(), cpu });
        Plan { terms, program, handlers, singles, only, locks, can_leak, offloads, cores, names, changes: Vec::new() }
    }

    /// How long work takes that shares its cores with nothing else.
    pub(super) fn alone(&self, work: Span) -> Span {
        match self.cores {
            0 | 1_000_000 => work,
            cores => (u128::from(work) * 1_000_000).div_ceil(u128::from(cores)).min(u128::from(Span::MAX)) as Span,
        }
    }

    /// How long an instance takes to start, where they are started for calls.
    pub(super) fn start_up(&self) -> &Dist {
        &self.names.cpu.start_up
    }

    /// Gets ready for other terms and durations.
    pub(super) fn prepare(&mut self, change: u32, terms: Terms, handlers: &Map<Vec<Step>>) {
        let Compiled { links, ops, cpu } = &*self.names;
        let links: Vec<&str> = links.iter().map(String::as_str).collect();
        let Plan { terms, program, singles, only, .. } = Plan::new(terms, handlers, &links, ops, cpu.clone());
        debug_assert_eq!(program.code.len(), self.program.code.len(), "only durations differ");
        self.changes.push((change, Change { terms, program, singles, only }));
    }

    /// The same with a change that was prepared; `None` where there is none of that number.
    pub(super) fn changed(&self, change: u32) -> Option<Plan> {
        let (_, change) = self.changes.iter().find(|(number, _)| *number == change)?;
        let Change { terms, program, singles, only } = change.clone();
        Some(Plan { terms, program, singles, only, ..self.clone() })
    }
}

/// How `cpu` steps are done.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// On cores, shared with others.
    pub(super) shares_cores: bool,
    /// Whether memory is modelled.
    pub(super) has_memory: bool,
    /// Whether the `demand` of a request multiplies its work.
    pub(super) by_demand: bool,
    /// Cores that each instance has to itself; `None` where work shares its cores.
    pub(super) alone: Option<f64>,
    /// How long an instance takes to start.
    pub(super) start_up: Dist,
    /// Whether a call may be one of several copies of which only the first to begin is wanted.
    pub(super) is_tied: bool,
}

/// Numbers the names in handlers.
struct Compiler<'a> {
    links: &'a [&'a str],
    ops: &'a [String],
    locks: Vec<String>,
}

impl Names for Compiler<'_> {
    fn link(&self, name: &str) -> u16 {
        self.links.iter().position(|l| *l == name).unwrap_or(0) as u16
    }

    fn op(&self, name: &str) -> u16 {
        self.ops.iter().position(|o| o == name).unwrap_or(0) as u16
    }

    fn lock(&mut self, name: &str) -> u16 {
        let at = self.locks.iter().position(|l| l == name).unwrap_or_else(|| {
            self.locks.push(name.to_string());
            self.locks.len() - 1
        });
        at as u16
    }
}

/// A handler that is one step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Single {
    span: Dist,
    /// A core or a blocking call, which ends before giving up is noticed.
    pub(super) blocks: bool,
}

impl Single {
    /// The handler that begins at `place`, if it is one step; `has_cpu` where a core is shared with others.
    pub(super) fn of(program: &Program, place: Place, has_cpu: bool) -> Option<Single> {
        let (span, blocks) = match program.code.get(place as usize..)? {
            [Instruction::Wait(span), Instruction::End, ..] => (span, false),
            [Instruction::Block(span), Instruction::End, ..] => (span, true),
            [Instruction::Cpu(span), Instruction::End, ..] if !has_cpu => (span, true),
            _ => return None,
        };
        Some(Single { span: span.clone(), blocks })
    }

    /// How long the step takes for this call.
    #[inline(always)]
    pub(super) fn span(&self, cx: &mut Cx<'_>, call: CallId) -> Span {
        sample(&self.span, cx, call, PURPOSE_STEP)
    }
}
