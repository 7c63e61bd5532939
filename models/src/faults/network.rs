//! A link becomes slow or lossy.

use settings::values::Scalar;
use settings::{Duration, Fraction, Setting, Spanned};
use sim_core::{Cx, NodeId, Span};

use super::fault::{Act, Fault, Scene};

/// A link becomes slow or lossy.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The link: `CALLER.LINK` or `WORKLOAD.call`.
    pub link: Spanned<String>,
    /// Added to each direction.
    #[setting(default = "0s")]
    pub add: Duration,
    /// Share of the packets lost in each direction.
    #[setting(default = "0%")]
    pub loss: Fraction,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    paths: Vec<u16>,
    add: Span,
    loss: f64,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, network: {link: @, add: 100ms}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let Some(paths) = scene.directory.paths_of_link(&self.link.value) else {
            let names = scene.directory.link_names();
            let problem = settings::Problem::unknown_name(
                "link",
                &self.link.value,
                self.link.span,
                names.iter().map(String::as_str),
            );
            scene.problems.push(problem.path(self.link.path.clone()));
            return None;
        };
        if self.add.0 == 0 && self.loss.0 == 0.0 {
            scene.error("no_effect", self.link.span, "`network` needs an `add`ed latency or a `loss`");
            return None;
        }
        Some(Acting { paths, add: self.add.0, loss: self.loss.0 })
    }

    fn words(&self) -> String {
        let mut words = format!("network {}", self.link.value);
        if self.add.0 > 0 {
            words.push_str(&format!(" +{}", self.add.format()));
        }
        if self.loss.0 > 0.0 {
            words.push_str(&format!(" loss {}", self.loss.format()));
        }
        words
    }

    fn targets(&self) -> Vec<String> {
        vec![self.link.value.clone()]
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        for path in &self.paths {
            cx.change_path(*path, |path| {
                path.added += self.add;
                path.add_loss(number, self.loss);
            });
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        for path in &self.paths {
            cx.change_path(*path, |path| {
                path.added -= self.add;
                path.remove_loss(number);
            });
        }
    }
}
