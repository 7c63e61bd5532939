//! All that is in a region dies.

use settings::{Name, Problem, Setting, Spanned};
use sim_core::{Death, Happens};

use super::fault::{Fault, Scene, Toll};
use super::kill::{self, Dying, Then};

/// A whole region fails.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "region")]
pub struct Settings {
    /// The region.
    pub region: Spanned<Name>,
}

pub(super) static ZONE_DOWN: Happens = Happens { name: "zone_down", doc: "The zone of the replica went down." };
pub(super) static ZONE_UP: Happens = Happens { name: "zone_up", doc: "The zone of the replica is up again." };

impl Fault for Settings {
    type Acting = kill::Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, zone_down: @}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<kill::Acting> {
        if !scene.directory.regions.iter().any(|r| r == self.region.as_str()) {
            let names = scene.directory.regions.iter().map(String::as_str);
            let problem = Problem::unknown_name("region", self.region.as_str(), self.region.span, names);
            scene.problems.push(problem.path(self.region.path.clone()));
            return None;
        }
        let nodes = scene.directory.nodes_in(self.region.as_str());
        let dying = Dying::Places(nodes);
        Some(kill::Acting { dying, death: Death::Host, down: &ZONE_DOWN, up: &ZONE_UP, then: Then::Stays })
    }

    fn words(&self) -> String {
        format!("zone {} down", self.region.as_str())
    }

    fn kills(&self) -> Toll {
        Toll::All
    }

    fn silences(&self) -> bool {
        true
    }

    fn targets(&self) -> Vec<String> {
        vec![self.region.as_str().to_string()]
    }
}
