//! More requests are sent: the rate of an open workload is multiplied.

use settings::{Name, Problem, Setting, Spanned};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene};

/// The load rises.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The workload.
    pub workload: Spanned<Name>,
    /// Factor applied to its rate.
    #[setting(range = "0.001..=1000000")]
    pub x: f64,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    node: NodeId,
    begins: u32,
    ends: u32,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, surge: {workload: @, x: 2}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let Some(workload) = scene.directory.workloads.iter().find(|w| w.name == self.workload.as_str()) else {
            let names = scene.directory.workloads.iter().map(|w| w.name.as_str());
            let problem = Problem::unknown_name("workload", self.workload.as_str(), self.workload.span, names);
            scene.problems.push(problem.path(self.workload.path.clone()));
            return None;
        };
        if !workload.is_open {
            let message = "only open workloads can surge; closed-loop users wait for their answers";
            scene.error("no_effect", self.workload.span, message);
            return None;
        }
        // The workload reads the factor from the bits of the change.
        Some(Acting { node: workload.node, begins: (self.x as f32).to_bits(), ends: (1.0 / self.x as f32).to_bits() })
    }

    fn words(&self) -> String {
        format!("surge {} ×{}", self.workload.as_str(), self.x)
    }

    fn targets(&self) -> Vec<String> {
        vec![self.workload.as_str().to_string()]
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        cx.order(Order::Adopt(self.node, self.begins));
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        cx.order(Order::Adopt(self.node, self.ends));
    }
}
