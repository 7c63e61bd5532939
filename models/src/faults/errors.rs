//! A share of the calls to a component fails at once.

use settings::values::Scalar;
use settings::{Fraction, Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Outcome};

use super::fault::{Act, Fault, Scene, Whom};
use crate::policies::outcomes::OutcomeName;

/// A share of the calls to a component fails.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The component.
    pub component: Spanned<Name>,
    /// The share.
    #[setting(default = "100%")]
    pub fraction: Fraction,
    /// Outcome of the failing calls.
    #[setting(default = "error")]
    pub outcome: OutcomeName,
    /// Only this many replicas, the oldest first.
    pub replicas: Option<u32>,
    /// Only this replica, counted from 0.
    pub replica: Option<u32>,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    whom: Whom,
    fraction: f64,
    outcome: Outcome,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 20s, errors: {component: @, fraction: 50%, outcome: error}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let whom = scene.whom(&self.component, self.replicas, self.replica)?;
        Some(Acting { whom, fraction: self.fraction.0, outcome: self.outcome.outcome() })
    }

    fn words(&self) -> String {
        format!("{} of {} {}", self.fraction.format(), self.component.as_str(), self.outcome.outcome().name())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]) {
        for node in struck {
            cx.condition_mut(*node).add_errors(number, self.fraction, self.outcome);
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]) {
        for node in struck {
            cx.condition_mut(*node).remove_errors(number);
        }
    }

    fn whom(&self) -> Option<&Whom> {
        Some(&self.whom)
    }
}
