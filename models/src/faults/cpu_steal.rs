//! Somebody else uses a share of the cores: a noisy neighbour, a backup.

use settings::values::Scalar;
use settings::{Fraction, Name, Setting, Spanned};
use sim_core::{Cx, NodeId};

use super::fault::{Act, Fault, Scene};

/// Another tenant takes a share of the cores.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The host group, or a component with its own cores.
    pub from: Spanned<Name>,
    /// Share of the cores that is lost.
    #[setting(range = "0..1")]
    pub share: Fraction,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    machines: Vec<u32>,
    left: f64,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, cpu_steal: {from: @, share: 50%}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let machines = match scene.directory.machines_of(self.from.as_str()) {
            // Which components have cores shows when they are built.
            None if !scene.directory.is_built && scene.directory.component(self.from.as_str()).is_some() => {
                Some(Vec::new())
            }
            found => found,
        };
        let Some(machines) = machines else {
            let names = scene.directory.names_with_cores();
            let problem = settings::Problem::unknown_name(
                "group of hosts or component with cores",
                self.from.as_str(),
                self.from.span,
                names,
            );
            scene.problems.push(problem.path(self.from.path.clone()));
            return None;
        };
        Some(Acting { machines, left: 1.0 - self.share.0 })
    }

    fn words(&self) -> String {
        format!("steal {} of {}", self.share.format(), self.from.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.from.as_str().to_string()]
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        for machine in &self.machines {
            cx.leave_cores(*machine, number, Some(self.left));
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        for machine in &self.machines {
            cx.leave_cores(*machine, number, None);
        }
    }
}
