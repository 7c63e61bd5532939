//! A component works more slowly: by a factor, or by an added latency. Shared cores change speed at once; a fixed wait
//! that has begun keeps its length.

use settings::values::Scalar;
use settings::{Duration, Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Span};

use super::fault::{Act, Fault, Scene, Whom};

/// A component slows down.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The component.
    pub component: Spanned<Name>,
    /// Factor applied to its service times.
    #[setting(range = "0.001..=1000000")]
    pub factor: Option<f64>,
    /// Time added to each.
    pub add: Option<Duration>,
    /// Only this many replicas, the oldest first.
    pub replicas: Option<u32>,
    /// Only this replica, counted from 0.
    pub replica: Option<u32>,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    whom: Whom,
    factor: f64,
    add: Span,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 20s, slow: {component: @, factor: 5}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let whom = scene.whom(&self.component, self.replicas, self.replica);
        if self.factor.is_none() && self.add.is_none() {
            scene.error("no_effect", self.component.span, "`slow` needs a `factor` or an `add`ed latency");
            return None;
        }
        Some(Acting { whom: whom?, factor: self.factor.unwrap_or(1.0), add: self.add.map_or(0, |d| d.0) })
    }

    fn words(&self) -> String {
        let mut words = format!("slow {}", self.component.as_str());
        if let Some(factor) = self.factor {
            words.push_str(&format!(" ×{factor}"));
        }
        if let Some(add) = self.add {
            words.push_str(&format!(" +{}", add.format()));
        }
        words
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, struck: &[NodeId]) {
        for node in struck {
            cx.slow_down(*node, self.factor);
            cx.condition_mut(*node).add_latency(self.add);
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32, struck: &[NodeId]) {
        for node in struck {
            cx.slow_down(*node, 1.0 / self.factor);
            cx.condition_mut(*node).remove_latency(self.add);
        }
    }

    fn whom(&self) -> Option<&Whom> {
        Some(&self.whom)
    }
}
