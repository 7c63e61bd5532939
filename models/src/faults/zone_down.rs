//! All that is in a region dies.

use settings::{Name, Problem, Setting, Spanned};

use super::fault::{Fault, Scene};
use super::kill;

/// All that is in a region dies.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "region")]
pub struct Settings {
    /// Which region.
    pub region: Spanned<Name>,
}

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
        Some(kill::Acting { nodes, replaced_after: None, start_up: None })
    }

    fn words(&self) -> String {
        format!("zone {} down", self.region.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.region.as_str().to_string()]
    }
}
