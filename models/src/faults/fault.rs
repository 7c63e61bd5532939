//! What a fault must offer, and where it looks for what it strikes.

use settings::{Name, Path, Problem, Problems, Setting, Spanned};
use sim_core::random::Stream;
use sim_core::{Cx, NodeId, Span};

use crate::directory::Directory;

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

    /// Whether what it strikes comes back by itself; `is_replaced` tells of a component whether its replicas are replaced.
    fn comes_back(&self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
        let _ = is_replaced;
        false
    }
}

/// A fault that knows what it strikes.
pub trait Act: Clone {
    /// It begins; `number` tells it from others.
    fn strike(&self, cx: &mut Cx<'_>, number: u32);

    /// It ends.
    fn lift(&self, cx: &mut Cx<'_>, number: u32);

    /// What it strikes comes back by itself after so long (a replica that is replaced); `None` if it does not.
    fn recovers_after(&self, draws: &mut Stream) -> Option<Span> {
        let _ = draws;
        None
    }

    /// The mean of that, which is all that is known before it strikes.
    fn recovers_after_mean(&self) -> Option<Span> {
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
            let names = self.directory.components.iter().map(|c| c.name.as_str());
            let problem = Problem::unknown_name("component", name.as_str(), name.span, names);
            self.problems.push(problem.path(name.path.clone()));
        }
        found
    }

    /// The nodes of some replicas.
    pub fn nodes(&mut self, name: &Spanned<Name>, replicas: Option<u32>, replica: Option<u32>) -> Option<Vec<NodeId>> {
        let component = self.component(name)?;
        let all = self.directory.nodes_of(component);
        if let Some(one) = replica {
            let Some(node) = all.get(one as usize) else {
                let message = format!("`{}` has {} replicas, counted from 0", name.as_str(), all.len());
                self.error("no_such_replica", name.span, &message);
                return None;
            };
            return Some(vec![*node]);
        }
        if let Some(some) = replicas
            && some as usize > all.len()
        {
            let message = format!("`{}` has only {} replicas", name.as_str(), all.len());
            self.error("no_such_replica", name.span, &message);
            return None;
        }
        Some(all.into_iter().take(replicas.map_or(usize::MAX, |n| n as usize)).collect())
    }
}
