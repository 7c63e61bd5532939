//! `kinds`: the reference.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use language::reference::{Topic, topics};
use settings::reference::Style;

use crate::input::{self, Failure};

/// Shows the reference: a list of all topics, or the page of a component kind, policy, fault, step, …
#[derive(Args, Debug)]
pub(crate) struct Kinds {
    /// Topic to show; lists all without it. `GROUP/NAME` where two topics share a name.
    name: Option<String>,
}

impl Kinds {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let topics = topics();
        let text = match &self.name {
            None => list(&topics),
            Some(name) => pages(&topics, name)?,
        };
        input::print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(topics: &[Topic]) -> String {
    let width = topics.iter().map(|topic| topic.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut group = "";
    for topic in topics {
        if topic.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = topic.group;
            let _ = writeln!(text, "{gap}{group}");
        }
        let later = if topic.is_not_yet() { " (not supported yet)" } else { "" };
        let _ = writeln!(text, "  {:width$}  {}{later}", topic.name, topic.doc);
    }
    text.push_str("\n`brownout kinds NAME` shows the page of one.\n");
    text
}

/// The page of a topic; all pages if several topics share the name.
fn pages(topics: &[Topic], name: &str) -> Result<String, Failure> {
    let (group, bare) = name.split_once('/').map_or((None, name), |(group, bare)| (Some(group), bare));
    let is_meant = |topic: &&Topic| {
        topic.name == bare
            && group.is_none_or(|group| topic.group == group || topic.group.trim_end_matches('s') == group)
    };
    let found: Vec<&Topic> = topics.iter().filter(is_meant).collect();
    if found.is_empty() {
        let names = topics.iter().map(|topic| topic.name);
        let help = settings::problem::did_you_mean(bare, names).unwrap_or_else(|| "see `brownout kinds`".into());
        return Err(Failure::Usage(format!("no topic is called `{name}`; {help}")));
    }
    let pages: Vec<String> = found.iter().map(|topic| topic.page(Style::Text)).collect();
    Ok(pages.join("\n"))
}
