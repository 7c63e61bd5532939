//! A host dies, and all that runs on it with it.

use settings::{Name, Problem, Setting, Spanned};
use sim_core::{Death, Happens};

use super::fault::{Fault, Scene, Toll};
use super::kill::{self, Dying, Then};

/// A host dies.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The host group.
    pub hosts: Spanned<Name>,
    /// Index, from 0. Defaults to all of them.
    pub host: Option<u32>,
}

pub(super) static HOST_DOWN: Happens = Happens { name: "host_down", doc: "The host of the replica went down." };
pub(super) static HOST_UP: Happens = Happens { name: "host_up", doc: "The host of the replica is up again." };

impl Fault for Settings {
    type Acting = kill::Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, host_down: {hosts: @, host: 0}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<kill::Acting> {
        let Some(group) = scene.directory.hosts.iter().find(|h| h.name == self.hosts.as_str()) else {
            let names = scene.directory.hosts.iter().map(|h| h.name.as_str());
            let problem = Problem::unknown_name("group of hosts", self.hosts.as_str(), self.hosts.span, names);
            scene.problems.push(problem.path(self.hosts.path.clone()));
            return None;
        };
        if self.host.is_some_and(|one| one >= group.count) {
            let message = format!("`{}` has {} hosts, counted from 0", group.name, group.count);
            scene.error("no_such_host", self.hosts.span, &message);
            return None;
        }
        let nodes = scene.directory.nodes_on(self.hosts.as_str(), self.host);
        let dying = Dying::Places(nodes);
        Some(kill::Acting { dying, death: Death::Host, down: &HOST_DOWN, up: &HOST_UP, then: Then::Stays })
    }

    fn words(&self) -> String {
        match self.host {
            Some(one) => format!("host {}[{one}] down", self.hosts.as_str()),
            None => format!("hosts {} down", self.hosts.as_str()),
        }
    }

    fn kills(&self) -> Toll {
        if self.host.is_some() { Toll::Some } else { Toll::All }
    }

    fn silences(&self) -> bool {
        true
    }

    fn targets(&self) -> Vec<String> {
        vec![self.hosts.as_str().to_string()]
    }
}
