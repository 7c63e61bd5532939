//! Broken texts never make the program panic, and every problem has a position.

use lab::{Options, Text, load};

/// A fixed pseudo-random sequence: SplitMix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % below.max(1) as u64) as usize
    }
}

fn check(bytes: Vec<u8>, options: &Options) {
    let text = Text { name: "junk.yaml".into(), bytes, folder: None };
    if let Err(refused) = load(&text, options) {
        let style = language::diagnostics::Style::Plain;
        let shown = language::diagnostics::render(&refused.problems, &refused.sources, style);
        assert!(!shown.is_empty());
        for problem in &refused.problems {
            assert!(problem.span.is_somewhere(), "without a place: {problem:?}");
        }
    }
}

const WORDS: &[&str] = &[
    "{}",
    "[]",
    "null",
    "-1",
    "0",
    "1e400",
    "NaN",
    "5",
    "5ms",
    "1/s",
    "0/s",
    "10%",
    "1000%",
    "x",
    "us/api",
    "\"\"",
    "{to: x}",
    "[a, b]",
    "99999999999999999999",
    "-5s",
    "9223372036854775807ns",
    "1000000h",
    "true",
    "yes",
    "&a b",
    "*a",
    "!!str x",
    "? y",
    "{exp: 5ms}",
    "{lognormal: {p50: 5ms, p99: 1ms}}",
    "{mixture: []}",
    "1GiB",
    "0.1",
];

/// Truncated texts, and texts with repeated and swapped bytes.
#[test]
fn mutilated_texts_are_refused_without_a_panic() {
    let (_, yaml) = language::builtin::SCENARIOS[0];
    let mut draws = Draws(1);
    for _ in 0..400 {
        let mut bytes = yaml.as_bytes().to_vec();
        for _ in 0..=draws.next(4) {
            let at = draws.next(bytes.len());
            match draws.next(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, b"{}[]:,-&*!|>'\"%@`#\t\n 0aZ\xF6"[draws.next(25)]),
                2 => drop(bytes.remove(at.min(bytes.len().saturating_sub(1)))),
                _ => bytes[at] = draws.next(256) as u8,
            }
            if bytes.is_empty() {
                break;
            }
        }
        check(bytes, &Options::default());
    }
}

/// Replaces every value of every built-in scenario in turn.
#[test]
fn strange_values_anywhere_are_refused_without_a_panic() {
    let mut draws = Draws(2);
    for (name, yaml) in language::builtin::SCENARIOS {
        let text = Text { name: (*name).into(), bytes: yaml.as_bytes().to_vec(), folder: None };
        let Ok(loaded) = load(&text, &Options::default()) else { panic!("{name} is not good") };
        let mut paths = Vec::new();
        collect(&loaded.plain, &settings::Path::root(), &mut paths);
        for _ in 0..150 {
            let path = &paths[draws.next(paths.len())];
            let word = WORDS[draws.next(WORDS.len())];
            let overrides = vec![format!("run.duration=1s"), format!("{path}={word}")];
            check(yaml.as_bytes().to_vec(), &Options { overrides, ..Options::default() });
        }
    }
}

fn collect(node: &settings::Node, path: &settings::Path, paths: &mut Vec<String>) {
    if !path.is_root() {
        paths.push(path.to_string());
    }
    match &node.value {
        settings::Value::Map(entries) => entries.iter().for_each(|e| collect(&e.value, &path.join(&e.key), paths)),
        settings::Value::List(members) => {
            members.iter().enumerate().for_each(|(nth, member)| collect(member, &path.join(nth), paths));
        }
        _ => {}
    }
}
