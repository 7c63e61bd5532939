//! Replicas die and come up again after their `start_up`.

use settings::{Name, Setting, Spanned};
use sim_core::{Death, Happens};

use super::fault::{Fault, Scene, Toll};
use super::kill::{self, Dying, Then};

/// Replicas are restarted.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The component.
    pub component: Spanned<Name>,
    /// Only this many, the first ones.
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
        let whom = scene.whom(&self.component, self.replicas, self.replica)?;
        if scene.lasts.is_some() {
            scene.error(
                "no_effect",
                self.component.span,
                "`for` has no effect on `restart`: it lasts as long as `start_up`",
            );
        }
        let start_up = scene.directory.components[whom.component].start_up.clone();
        Some(kill::Acting {
            dying: Dying::Replicas(whom),
            death: Death::Process,
            down: &REPLICA_RESTARTING,
            up: &kill::REPLICA_STARTED,
            then: Then::ComesBack(start_up),
        })
    }

    fn words(&self) -> String {
        format!("restart {}", self.component.as_str())
    }

    fn kills(&self) -> Toll {
        if self.replicas.is_some() || self.replica.is_some() { Toll::Some } else { Toll::All }
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn comes_back(&self, _is_replaced: &dyn Fn(&str) -> bool) -> bool {
        true
    }
}
