//! Watches a made-up retry storm: `cargo run -p tui --example demo -- [three|checkout|clusters|sixty] [tour] [fail]`.

use tui::{Caption, Options};

#[path = "../tests/it/fake.rs"]
#[allow(dead_code)]
mod fake;

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let topology = match words.first().map(String::as_str) {
        Some("three") => fake::three(),
        Some("clusters") => fake::clusters(),
        Some("sixty") => fake::sixty(),
        _ => fake::checkout(),
    };
    let mut simulation = fake::Fake::new(topology);
    simulation.panics_at_ns = has("fail").then_some(0);
    let caption = |at_s: f64, text: &str| Caption { at_s, text: text.into(), focus: None };
    let captions = match has("tour") {
        true => vec![
            caption(0.0, "All is well: 1200 requests per second, every one of them answered in time."),
            caption(
                60.0,
                "The database becomes five times slower. Watch its queue, and the hollow marks: those are retries.",
            ),
            caption(
                80.0,
                "The fault is over, and yet it does not recover: retries keep the database busier than it can bear.",
            ),
        ],
        false => Vec::new(),
    };
    let only = fake::Only { simulation, captions };
    println!("{:?}", tui::watch(only, Some(0), Options::default())?);
    Ok(())
}
