//! The scenarios built into the program: the files under `scenarios/`.

include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// The text of a built-in scenario.
pub fn text(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// The text of the tour of a built-in scenario.
pub fn tour(name: &str) -> Option<&'static str> {
    TOURS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// The purpose of a scenario, in one sentence: its first comment.
pub fn purpose(text: &str) -> String {
    let comment = text.lines().take_while(|l| l.starts_with('#')).map(|l| l.trim_start_matches('#').trim());
    comment.take_while(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}
