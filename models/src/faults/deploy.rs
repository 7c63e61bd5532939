//! All replicas are replaced by new ones, some at a time.

use settings::{Duration, Name, Setting, Spanned};
use sim_core::{Cx, NodeId};

use super::fault::{Act, Fault, Scene, Staffing, Staffs};
use crate::policies::not_yet::NotYet;
use crate::share_or_count::ShareOrCount;

/// A rolling update, as Kubernetes' Deployments make them.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RollingSettings {
    /// Replicas that may be there beyond the usual number: a share, rounded up, or a count. Kubernetes' default.
    #[setting(default = "25%")]
    pub max_surge: ShareOrCount,
    /// Replicas that may be missing of the usual number: a share, rounded down, or a count. Kubernetes' default.
    #[setting(default = "25%")]
    pub max_unavailable: ShareOrCount,
    /// Time for which a new replica must be ready before it counts as available. Kubernetes' `minReadySeconds`.
    #[setting(default = "0s")]
    pub min_ready: Duration,
}

/// Replicas are replaced by new ones.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Which component.
    pub component: Spanned<Name>,
    /// Settings of the new replicas. Without it they are as the old ones: a rolling restart.
    pub set: Option<NotYet>,
    /// Some at a time. The default.
    pub rolling: Option<RollingSettings>,
    /// All new ones beside the old ones, and then all calls at once.
    pub blue_green: Option<NotYet>,
    /// A few first.
    pub canary: Option<NotYet>,
}

/// It, with what it changes.
#[derive(Clone, Debug)]
pub struct Acting(Staffing);

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = None;

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let component = scene.staffed(&self.component)?;
        let RollingSettings { max_surge, max_unavailable, min_ready } = self.rolling();
        if max_surge.is_none() && max_unavailable.is_none() {
            let message = "with neither `max_surge` nor `max_unavailable` no replica can be replaced";
            scene.error("contradiction", self.component.span, message);
            return None;
        }
        Some(Acting(Staffing::Roll {
            component,
            surge: max_surge,
            unavailable: max_unavailable,
            min_ready: min_ready.0,
        }))
    }

    fn words(&self) -> String {
        format!("deploy {}", self.component.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn is_momentary(&self) -> bool {
        true
    }

    fn staffs(&self) -> Option<Staffs<'_>> {
        let surge = Some(self.rolling().max_surge);
        Some(Staffs { component: self.component.as_str(), replicas: None, surge })
    }
}

impl Settings {
    /// How it goes on.
    pub fn rolling(&self) -> RollingSettings {
        let quarter = ShareOrCount::Share(0.25);
        let usual = RollingSettings { max_surge: quarter, max_unavailable: quarter, min_ready: Duration(0) };
        self.rolling.clone().unwrap_or(usual)
    }
}

impl Act for Acting {
    fn strike(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}

    fn lift(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}

    fn staffing(&self) -> Option<&Staffing> {
        Some(&self.0)
    }
}
