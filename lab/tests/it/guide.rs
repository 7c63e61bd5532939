//! The examples of the user guide: every YAML block in it is a scenario that runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use lab::{Options, Session, Text, load};

/// The fenced YAML blocks of a Markdown text, each with the number of its first line.
fn blocks(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in markdown.lines().enumerate() {
        match &mut open {
            None if line.trim() == "```yaml" => open = Some((number + 2, String::new())),
            Some(_) if line.trim() == "```" => found.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    found
}

#[test]
fn every_example_of_the_guide_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut count = 0;
    for file in ["guide.md", "measuring.md", "not-modelled.md", "versions.md"] {
        let markdown = fs::read_to_string(folder.join(file)).unwrap_or_else(|e| panic!("docs/{file}: {e}"));
        for (line, block) in blocks(&markdown) {
            let place = format!("docs/{file}, line {line}");
            let text = Text { name: place.clone(), bytes: block.into_bytes(), folder: None };
            let variants = load(&text, &Options::default())
                .unwrap_or_else(|r| {
                    panic!(
                        "{place}\n{}",
                        language::diagnostics::render(&r.problems, &r.sources, language::diagnostics::Style::Plain)
                    )
                })
                .variants;
            for variant in std::iter::once(None).chain(variants.into_iter().map(Some)) {
                let options = Options { variant: variant.clone(), ..Options::default() };
                let loaded = load(&text, &options).unwrap_or_else(|r| {
                    panic!(
                        "{place} {variant:?}\n{}",
                        language::diagnostics::render(&r.problems, &r.sources, language::diagnostics::Style::Plain)
                    )
                });
                let seed = loaded.scenario.seed;
                let mut session = Session::new(Arc::new(loaded), seed, None);
                session.run_until(2_000_000_000).unwrap_or_else(|failure| panic!("{place}: {failure}"));
            }
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} examples");
}
