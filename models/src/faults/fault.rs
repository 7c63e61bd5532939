//! What a fault must offer, and where it looks for what it strikes.

use settings::{Name, Path, Problem, Problems, Setting, Spanned};
use sim_core::dist::Dist;
use sim_core::{Cx, NodeId, Span};

use crate::directory::Directory;
use crate::share_or_count::ShareOrCount;

/// What a kind of fault must offer.
pub trait Fault: Setting {
    /// It, ready to act.
    type Acting: Act;

    /// What is offered for letting it strike by hand, without `at`: `@` stands for what it strikes, and `&` for the other one
    /// of two. `None` where it is not offered.
    const EXAMPLE: Option<&str>;

    /// Finds what it strikes; problems go to the scene.
    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Self::Acting>;

    /// What it does, in words.
    fn words(&self) -> String;

    /// What it strikes: names of components, workloads, hosts, links.
    fn targets(&self) -> Vec<String>;

    /// Whether it is over as soon as it has struck, so that `for` has no meaning.
    fn is_momentary(&self) -> bool {
        false
    }

    /// Who dies of it, of the replicas of those that it strikes.
    fn kills(&self) -> Toll {
        Toll::Nobody
    }

    /// Whether calls that come to what it strikes wait until it ends.
    fn keeps_calls_waiting(&self) -> bool {
        false
    }

    /// Whether nobody answers for what it strikes, so that only a timeout ends a call there in good time.
    fn silences(&self) -> bool {
        false
    }

    /// Whether without an end it is how the system is from then on, and not an outage that goes on.
    fn is_a_change(&self) -> bool {
        false
    }

    /// What must be laid out for the replicas that come for it.
    fn staffs(&self) -> Option<Staffs<'_>> {
        None
    }

    /// What it keeps from reaching copies of data in time, which their entrance gets ready for.
    fn keeps_behind(&self) -> Option<KeptBehind<'_>> {
        None
    }

    /// Whether what it strikes comes back by itself; `is_replaced` tells of a component whether its replicas are replaced.
    fn comes_back(&self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
        let _ = is_replaced;
        false
    }
}

/// What must be laid out for replicas that come and go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Staffs<'a> {
    /// The component.
    pub component: &'a str,
    /// How many replicas there are to be, where that changes.
    pub replicas: Option<u32>,
    /// How many more there may be meanwhile.
    pub surge: Option<ShareOrCount>,
}

/// Copies of data that are kept behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeptBehind<'a> {
    /// The component.
    pub component: &'a str,
    /// Only the copy that this node has; all if not written.
    pub replica: Option<u32>,
    /// By how much.
    pub lag: Span,
}

/// How many replicas of a component die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Toll {
    /// None.
    Nobody,
    /// Some; others live on.
    Some,
    /// All.
    All,
}

/// Some of a component's replicas.
#[derive(Clone, Debug, PartialEq)]
pub struct Whom {
    /// The component.
    pub component: usize,
    /// The oldest so many of those that are there; all if not written.
    pub replicas: Option<u32>,
    /// Only the one with this number.
    pub replica: Option<u32>,
}

/// What becomes of replicas that a fault has struck and that does not end by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aftermath<'a> {
    /// Nothing.
    Stays,
    /// Each comes back after so long.
    ComesBack(Option<&'a Dist>),
    /// The process of each is started again, as its component says.
    Restarts,
    /// Each is replaced after so long, by one that takes so long to come up.
    Replaced(Span, Option<&'a Dist>),
}

/// How many replicas of a component there are to be, or that all are to be new ones: what the director does for a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Staffing {
    /// So many.
    Scale {
        /// The component.
        component: usize,
        /// How many.
        replicas: u32,
    },
    /// As many as before, but new ones.
    Roll {
        /// The component.
        component: usize,
        /// How many more there may be meanwhile.
        surge: ShareOrCount,
        /// How many fewer may be available meanwhile.
        unavailable: ShareOrCount,
        /// For how long a new one must be ready before it counts as available.
        min_ready: Span,
    },
}

/// A fault that knows what it strikes.
pub trait Act: Clone {
    /// It begins; `number` tells it from others. `struck` are the nodes of those [whom](Act::whom) it strikes.
    fn strike(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]);

    /// It ends, for those that it struck.
    fn lift(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]);

    /// It goes on, bit by bit, from its beginning: after so long there is more to do, unless it is over.
    fn go_on(&self, cx: &mut Cx<'_>) -> Option<Span> {
        let _ = cx;
        None
    }

    /// Which replicas it strikes, where these show when it does.
    fn whom(&self) -> Option<&Whom> {
        None
    }

    /// What becomes of those, where it has no end of its own.
    fn aftermath(&self) -> Aftermath<'_> {
        Aftermath::Stays
    }

    /// What it changes about who is there, which the director does.
    fn staffing(&self) -> Option<&Staffing> {
        None
    }

    /// Other settings are in force than when it was planned: where it sets some, its beginning, or its end, is from now on
    /// another prepared change, which concerns these nodes.
    fn revise(&mut self, ends: bool, change: u32, nodes: &[NodeId]) {
        let _ = (ends, change, nodes);
    }
}

/// Where a fault looks for what it strikes.
pub struct Scene<'a> {
    /// Who is who.
    pub directory: &'a Directory,
    /// What is wrong with it.
    pub problems: &'a mut Problems,
    /// Where the fault stands.
    pub span: settings::Span,
    /// Its path.
    pub path: Path,
    /// Its number.
    pub number: u32,
    /// How long it lasts, if it ends.
    pub lasts: Option<Span>,
}

impl Scene<'_> {
    /// Something that cannot be simulated.
    pub fn error(&mut self, code: &'static str, span: settings::Span, message: &str) {
        let path = self.path.clone();
        self.problems.push(Problem::error(code, span, message).path(path));
    }

    /// The number of a component.
    pub fn component(&mut self, name: &Spanned<Name>) -> Option<usize> {
        let found = self.directory.component(name.as_str());
        if found.is_none() {
            let names = self.directory.component_names();
            let problem = Problem::unknown_name("component", name.as_str(), name.span, names);
            self.problems.push(problem.path(name.path.clone()));
        }
        found
    }

    /// A component whose replicas can come and go.
    pub fn staffed(&mut self, name: &Spanned<Name>) -> Option<usize> {
        let found = self.component(name)?;
        let place = &self.directory.components[found];
        if place.shutdown.is_none() {
            let message = format!("`{}` is a {} whose replicas cannot come and go", place.name, place.kind);
            let problem = Problem::error("no_effect", name.span, message).path(name.path.clone());
            self.problems.push(problem);
            return None;
        }
        Some(found)
    }

    /// A component that keeps messages.
    pub fn queue(&mut self, name: &Spanned<Name>) -> Option<usize> {
        let found = self.component(name)?;
        let place = &self.directory.components[found];
        if !place.hands_out {
            let message = format!("`{}` is a {}, not a queue", place.name, place.kind);
            let problem = Problem::error("not_a_queue", name.span, message).path(name.path.clone());
            self.problems.push(problem);
            return None;
        }
        Some(found)
    }

    /// Some replicas of a component.
    pub fn whom(&mut self, name: &Spanned<Name>, replicas: Option<u32>, replica: Option<u32>) -> Option<Whom> {
        let component = self.component(name)?;
        let place = &self.directory.components[component];
        let (there, has_replacements) = (place.replicas, place.slots > place.replicas);
        if replica.is_some() && replicas.is_some() {
            let message =
                "`replica` and `replicas` are mutually exclusive: `replica` selects one, `replicas` the oldest ones";
            self.error("contradiction", name.span, message);
            return None;
        }
        // Who takes the place of another has a number of its own.
        if replica.is_some_and(|one| one >= there) && !has_replacements {
            let message = format!("`{}` has {there} replicas, counted from 0", name.as_str());
            self.error("no_such_replica", name.span, &message);
            return None;
        }
        if replicas.is_some_and(|some| some > there) {
            let message = format!("`{}` has only {there} replicas", name.as_str());
            self.error("no_such_replica", name.span, &message);
            return None;
        }
        if replicas == Some(0) {
            let problem = Problem::warning("no_effect", name.span, "this strikes no replica: `replicas` is 0");
            self.problems.push(problem.path(self.path.clone()));
        }
        Some(Whom { component, replicas, replica })
    }
}
