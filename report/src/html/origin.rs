//! Provenance of a report's figures: the scenarios as written and as resolved, and how to reproduce the report.

use super::{Block, Section};

/// How a page was made; the texts come from the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The scenarios: one, or one per variant of a comparison.
    pub scenarios: Vec<Source>,
    /// The command that reproduces the figures, to be run in the report's folder.
    pub command: Option<String>,
    /// Files beside the page, with their contents in words.
    pub files: Vec<(String, String)>,
}

/// A scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Its name among those of the page; empty if there is only one.
    pub name: String,
    /// The text as written, if known.
    pub written: Option<String>,
    /// With every default filled in.
    pub resolved: Option<String>,
}

/// The last section of every page. `facts` identifies the run: digest, seed, version.
pub(crate) fn section(origin: &Origin, facts: &str, overrides: &[String]) -> Section {
    let mut blocks = vec![Block::Paragraph(format!(
        "The same scenario, seed and version give the same figures on any machine. {facts}"
    ))];
    if let Some(command) = &origin.command {
        let caption = "Command, in the folder of this page".to_owned();
        blocks.push(Block::Text { caption, text: command.clone() });
    }
    if !overrides.is_empty() {
        blocks.push(Block::Text { caption: "Overrides".to_owned(), text: overrides.join("\n") });
    }
    if !origin.files.is_empty() {
        let file = |(name, what): &(String, String)| format!("{name}: {what}");
        blocks.push(Block::Paragraph("Files next to this page:".to_owned()));
        blocks.push(Block::List(origin.files.iter().map(file).collect()));
    }
    // Several variants share one file: show its text once.
    let mut shown: Vec<&str> = Vec::new();
    for source in &origin.scenarios {
        let of = if source.name.is_empty() { String::new() } else { format!(": {}", source.name) };
        if let Some(text) = source.written.as_deref().filter(|text| !shown.contains(text)) {
            shown.push(text);
            let summary = format!("The scenario as written{}", if origin.scenarios.len() > 1 { &of } else { "" });
            blocks.push(Block::Details { summary, text: text.to_owned() });
        }
        if let Some(text) = &source.resolved {
            let summary = format!("The scenario with every default filled in{of}");
            blocks.push(Block::Details { summary, text: text.clone() });
        }
    }
    Section { heading: "How to reproduce it".to_owned(), blocks }
}
