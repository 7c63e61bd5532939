//! Gates of links: which share of the attempts their rate limits and their bounds on those under way let pass.
//!
//! What is let pass in the long run is known where far more comes than that, or far less. In between it depends on how evenly
//! attempts come, and the share is an upper bound.

use models::policies::policy::Passes;
use sim_core::Outcome;

use super::graph::Graph;
use crate::theory::formulas::erlang_b;

/// Who would be refused less often than this by chance makes no difference.
const CHANCE_MAX: f64 = 0.01;

/// What the gates of a link let through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Through {
    /// The share of the attempts that pass.
    pub(super) share: f64,
    /// The share that is refused, by how.
    pub(super) refused: Vec<(Outcome, f64)>,
    /// Whether fewer may pass than that.
    pub(super) is_most: bool,
    /// Whether who passes may have waited.
    pub(super) waits: bool,
}

/// Attempts of each caller, `tried` a second from all of them, each of which is under way for `held_s`.
pub(super) fn through(graph: &Graph<'_>, link: usize, tried: f64, held_s: f64) -> Through {
    let at = &graph.links[link];
    let mut through = Through { share: 1.0, ..Through::default() };
    for (_, passes) in at.settings.passes() {
        let each = tried * through.share / f64::from(at.copies);
        let (share, otherwise, chance, waits) = match passes {
            Passes::Rate { per_s, at_once, waits, otherwise } => {
                let load = each / per_s;
                (1.0 / load.max(1.0), otherwise, libm::pow(load.min(1.0), at_once), waits)
            }
            Passes::AtOnce { places, waits, otherwise } => {
                let load = each * held_s / f64::from(places);
                (1.0 / load.max(1.0), otherwise, erlang_b(places, each * held_s), waits)
            }
            Passes::Some => {
                through.is_most = true;
                continue;
            }
        };
        if each > 0.0 && share < 1.0 {
            through.refused.push((otherwise, through.share * (1.0 - share)));
            through.share *= share;
        }
        through.is_most |= each > 0.0 && chance > CHANCE_MAX;
        through.waits |= each > 0.0 && waits && chance > CHANCE_MAX;
    }
    through
}
