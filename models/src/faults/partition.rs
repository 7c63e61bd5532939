//! Nothing gets through between two: components, workloads or regions.

use settings::{Name, Setting, Spanned};
use sim_core::{Cx, NodeId};

use super::fault::{Act, Fault, Scene};

/// A network partition between two parties.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "between")]
pub struct Settings {
    /// The two parties: components, workloads or regions.
    pub between: Vec<Spanned<Name>>,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    paths: Vec<u16>,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 20s, partition: [@, &]}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let [a, b] = self.between.as_slice() else {
            let (span, message) = (scene.span, "a partition has two sides");
            scene.error("not_two", span, message);
            return None;
        };
        let mut known = true;
        for name in [a, b] {
            if !scene.directory.is_known(name.as_str()) {
                let names = scene.directory.all_names();
                let problem = settings::Problem::unknown_name(
                    "component, workload or region",
                    name.as_str(),
                    name.span,
                    names.iter().map(String::as_str),
                );
                scene.problems.push(problem.path(name.path.clone()));
                known = false;
            }
        }
        if !known {
            return None;
        }
        let paths = scene.directory.paths_between(a.as_str(), b.as_str());
        if paths.is_empty() {
            let message = format!("no link leads from `{}` to `{}` or back", a.as_str(), b.as_str());
            scene.error("no_effect", a.span, &message);
            return None;
        }
        Some(Acting { paths })
    }

    fn words(&self) -> String {
        let names: Vec<&str> = self.between.iter().map(|n| n.as_str()).collect();
        format!("partition {}", names.join(" | "))
    }

    fn silences(&self) -> bool {
        true
    }

    fn targets(&self) -> Vec<String> {
        self.between.iter().map(|n| n.as_str().to_string()).collect()
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        for path in &self.paths {
            cx.change_path(*path, |path| path.cuts += 1);
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        for path in &self.paths {
            cx.change_path(*path, |path| path.cuts -= 1);
        }
    }
}
