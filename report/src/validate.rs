//! The table that compares simulated systems with theory, for a terminal.

use analysis::theory::{Validation, Verdict};

use crate::text::aligned;
use crate::units;

/// The table, followed by its summary in a sentence.
#[must_use]
pub fn text(validation: &Validation) -> String {
    let heading = ["model", "figure", "theory", "simulated", "interval", "verdict"].map(str::to_owned);
    let rows: Vec<Vec<String>> = validation.verdicts.iter().map(|verdict| row(verdict).to_vec()).collect();
    format!("{}\n{}\n", aligned(&heading, &rows), sentence(validation))
}

fn row(verdict: &Verdict) -> [String; 6] {
    let number = |value: f64| written(verdict.figure, value);
    let (low, high) = (verdict.simulated - verdict.half_width, verdict.simulated + verdict.half_width);
    [
        verdict.model.to_owned(),
        verdict.figure.to_owned(),
        number(verdict.theory),
        number(verdict.simulated),
        format!("{} – {}", number(low), number(high)),
        if verdict.agrees { "agrees" } else { "DIFFERS" }.to_owned(),
    ]
}

/// A figure with five digits: three, as elsewhere, would hide the differences.
#[must_use]
pub fn written(figure: &str, value: f64) -> String {
    let (value, unit) = if figure.ends_with("_s") { (value * 1e3, " ms") } else { (value, "") };
    let before = value.abs().log10().floor().clamp(-6.0, 4.0);
    let digits = (4.0 - before) as usize;
    format!("{value:.digits$}{unit}")
}

/// A summary of the table, with the probability of failing by chance alone.
#[must_use]
pub fn sentence(validation: &Validation) -> String {
    let all = validation.verdicts.len();
    let differing = validation.verdicts.iter().filter(|verdict| !verdict.agrees).count();
    let outcome = match differing {
        0 => format!("All {all} figures agree with theory."),
        1 => format!("1 of {all} figures differs from theory."),
        n => format!("{n} of {all} figures differ from theory."),
    };
    format!(
        "{outcome} {} runs of each model, {} as long as the short form, seed {}; chance alone makes one of the figures \
         differ less than once in {} such tables.",
        validation.replications,
        times(validation.length),
        validation.seed,
        units::quantity((1.0 / validation.error_rate).floor()),
    )
}

fn times(length: u64) -> String {
    match length {
        1 => "just".to_owned(),
        n => format!("{n} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(figure: &'static str, theory: f64, simulated: f64, half_width: f64) -> Verdict {
        let agrees = (theory - simulated).abs() <= half_width;
        Verdict { model: "M/M/1", figure, theory, simulated, half_width, agrees }
    }

    #[test]
    fn figures_stand_with_theory_and_what_differs_is_counted() {
        let verdicts = vec![
            verdict("workloads.w.latency.mean_s", 1.0 / 30.0, 0.0334, 0.0005),
            verdict("components.s.utilization", 0.7, 0.75, 0.01),
        ];
        let validation = Validation { seed: 3, replications: 16, length: 5, error_rate: 2e-6, verdicts };
        let text = text(&validation);
        assert!(text.contains("33.333 ms  33.400 ms"), "{text}");
        assert!(text.contains("32.900 ms – 33.900 ms   agrees"), "{text}");
        assert!(text.contains("0.74000 – 0.76000"), "{text}");
        assert!(text.contains("DIFFERS"), "{text}");
        assert!(text.contains("1 of 2 figures differs from theory. 16 runs"), "{text}");
        assert!(text.contains("5 times as long as the short form, seed 3"), "{text}");
        assert!(text.contains("once in 500 k such tables"), "{text}");
    }
}
