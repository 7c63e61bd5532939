//! Texts that are made of others by chance, for fuzzing without a fuzzer: what coverage would find faster, time finds too.
//!
//! `cargo test` tries some hundreds of each sort, always the same ones. `FUZZ_SECONDS=7200` goes on for so long with each sort, and
//! `FUZZ_SEED=2` tries others. What a check does not survive is left in a file that the failure names, so that nothing is lost if the
//! program dies of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is tried of each sort by an ordinary test.
const USUALLY: u64 = 400;
/// As long as the fuzzer's own inputs.
const LENGTH_MAX: usize = 4096;
/// No text may take longer, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Values that are seldom meant.
const STRANGE: &[&str] = &[
    "",
    "{}",
    "[]",
    "null",
    "~",
    "-1",
    "0",
    "1",
    "2",
    "1e400",
    "-0",
    "NaN",
    ".inf",
    "5ms",
    "1ns",
    "18446744073709551615ns",
    "9223372036854775807",
    "99999999999999999999",
    "1000000h",
    "1/s",
    "1e9/s",
    "0/s",
    "10%",
    "1000%",
    "-5s",
    "1GiB",
    "x",
    "default",
    "us/api",
    "\"\"",
    "{to: x}",
    "[a, b]",
    "true",
    "no",
    "&a b",
    "*a",
    "!!str x",
    "? y",
    "{exp: 5ms}",
    "{exp: 1ns}",
    "{lognormal: {p50: 5ms, p99: 1ms}}",
    "{mixture: []}",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{fffe}",
    "\u{2028}",
    "\u{0}",
    "é",
    "漢",
];

/// A sequence that a seed fixes: SplitMix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Makes texts of those of a folder.
struct Mutator {
    draws: Draws,
    texts: Vec<Vec<u8>>,
    words: Vec<String>,
}

impl Mutator {
    fn new(folder: &Path, seed: u64) -> Mutator {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        let texts = files.iter().map(|file| std::fs::read(file).expect("readable")).collect();
        // Every word of the language, as the schema has them in quotes.
        let mut words: Vec<String> = include_str!("../../schema/scenario.schema.json")
            .split('"')
            .filter(|word| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            })
            .map(String::from)
            .collect();
        words.sort();
        words.dedup();
        Mutator { draws: Draws(seed), texts, words }
    }

    fn next(&mut self) -> Vec<u8> {
        let mut text = self.any_text();
        for _ in 0..=self.draws.below(5) {
            self.change(&mut text);
        }
        text.truncate(LENGTH_MAX);
        text
    }

    fn any_text(&mut self) -> Vec<u8> {
        let at = self.draws.below(self.texts.len());
        self.texts[at].clone()
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        let (from, to) = self.range(text.len());
        match self.draws.below(12) {
            0 => text.truncate(from),
            1 => drop(text.drain(from..to)),
            2 => {
                let copy = text[from..to].to_vec();
                text.splice(from..from, copy);
            }
            3 => text.insert(from, self.draws.next() as u8),
            4 if from < text.len() => text[from] = self.draws.next() as u8,
            5 => {
                let other = self.any_text();
                let (from_other, to_other) = self.range(other.len());
                text.splice(from..to, other[from_other..to_other].iter().copied());
            }
            6 => self.change_line(text),
            7 | 8 => {
                let value = STRANGE[self.draws.below(STRANGE.len())].as_bytes();
                self.exchange_word(text, value);
            }
            9 => {
                let digits = self.draws.below(22);
                let number: Vec<u8> = (0..digits).map(|_| b'0' + self.draws.below(10) as u8).collect();
                self.exchange_word(text, &number);
            }
            _ => {
                let word = self.words[self.draws.below(self.words.len())].clone();
                self.exchange_word(text, word.as_bytes());
            }
        }
    }

    /// A short part most of the time.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.draws.below(length + 1);
        let most = if self.draws.below(4) == 0 { length } else { 12 };
        (from, (from + self.draws.below(most + 1)).min(length))
    }

    fn change_line(&mut self, text: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let (one, other) = (self.draws.below(lines.len()), self.draws.below(lines.len()));
        match self.draws.below(4) {
            0 => lines.swap(one, other),
            1 => drop(lines.remove(one)),
            2 => lines.insert(other, lines[one].clone()),
            _ => {
                let indent = self.draws.below(5);
                let start = lines[one].iter().take_while(|byte| **byte == b' ').count();
                lines[one].splice(..start, std::iter::repeat_n(b' ', indent));
            }
        }
        *text = lines.join(&b'\n');
    }

    /// Puts something else in the place of a word or number.
    fn exchange_word(&mut self, text: &mut Vec<u8>, with: &[u8]) {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        let middle = self.draws.below(text.len() + 1);
        let begin = text[..middle].iter().rposition(|byte| !is_word(*byte)).map_or(0, |at| at + 1);
        let length = text[middle..].iter().position(|byte| !is_word(*byte)).unwrap_or(text.len() - middle);
        text.splice(begin..middle + length, with.iter().copied());
    }
}

/// Tries a check on texts that are made of those of `corpus/SORT`.
pub fn fuzz(sort: &str, found: &Path, check: impl Fn(&[u8])) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seed, seconds) = (number("FUZZ_SEED").unwrap_or(1), number("FUZZ_SECONDS"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(sort);
    let mut mutator = Mutator::new(&folder, seed);
    let file = found.join(format!("fuzz-{sort}-{seed}"));
    let begun = Instant::now();
    let goes_on = |tried: u64| match seconds {
        Some(seconds) => begun.elapsed() < Duration::from_secs(seconds),
        None => tried < USUALLY,
    };
    let mut tried = 0;
    while goes_on(tried) {
        let text = mutator.next();
        // It stays there if the program dies of it.
        std::fs::write(&file, &text).expect("it can be written");
        let started = Instant::now();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&text))) {
            eprintln!("text {tried} of seed {seed} is left in {}:\n{}", file.display(), String::from_utf8_lossy(&text));
            resume_unwind(panic);
        }
        let took = started.elapsed();
        assert!(took < PATIENCE, "text {tried} of seed {seed}, left in {}, took {took:?}", file.display());
        tried += 1;
    }
    std::fs::remove_file(&file).expect("it was written");
    if seconds.is_some() {
        eprintln!("{sort}: {tried} texts of seed {seed}");
    }
}
