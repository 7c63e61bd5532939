//! Replicas die and come up again after their `start_up`.

use settings::{Name, Setting, Spanned};
use sim_core::Happens;

use super::fault::{Fault, Scene};
use super::kill;

/// Replicas die and come up again.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Of which component.
    pub component: Spanned<Name>,
    /// Only the first so many.
    pub replicas: Option<u32>,
    /// Only this one, counted from 0.
    pub replica: Option<u32>,
}

pub(super) static REPLICA_RESTARTING: Happens =
    Happens { name: "replica_restarting", doc: "The replica was stopped and starts again." };

impl Fault for Settings {
    type Acting = kill::Acting;
    const EXAMPLE: Option<&str> = Some("{restart: {component: @}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<kill::Acting> {
        let nodes = scene.nodes(&self.component, self.replicas, self.replica)?;
        if scene.lasts.is_some() {
            scene.error(
                "no_effect",
                self.component.span,
                "`for` has no effect on `restart`: it lasts as long as `start_up`",
            );
        }
        let component = &scene.directory.components[scene.directory.component(self.component.as_str())?];
        Some(kill::Acting {
            nodes,
            down: &REPLICA_RESTARTING,
            up: &kill::REPLICA_STARTED,
            replaced_after: Some(0),
            start_up: component.start_up.clone(),
        })
    }

    fn words(&self) -> String {
        format!("restart {}", self.component.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn comes_back(&self, _is_replaced: &dyn Fn(&str) -> bool) -> bool {
        true
    }
}
