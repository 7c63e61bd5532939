//! The number of replicas changes.

use settings::{Name, Setting, Spanned};
use sim_core::{Cx, NodeId};

use super::fault::{Act, Fault, Scene, Staffing, Staffs};

/// More replicas start, or the newest are shut down.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Which component.
    pub component: Spanned<Name>,
    /// How many replicas there are to be.
    #[setting(range = "1..=100000")]
    pub replicas: u32,
}

/// It, with what it changes.
#[derive(Clone, Debug)]
pub struct Acting(Staffing);

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = None;

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let component = scene.staffed(&self.component)?;
        Some(Acting(Staffing::Scale { component, replicas: self.replicas }))
    }

    fn words(&self) -> String {
        format!("scale {} to {}", self.component.as_str(), self.replicas)
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn is_a_change(&self) -> bool {
        true
    }

    fn staffs(&self) -> Option<Staffs<'_>> {
        Some(Staffs { component: self.component.as_str(), replicas: Some(self.replicas), surge: None })
    }
}

impl Act for Acting {
    fn strike(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}

    fn lift(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}

    fn staffing(&self) -> Option<&Staffing> {
        Some(&self.0)
    }
}
