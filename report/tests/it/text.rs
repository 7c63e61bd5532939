//! The text report, compared as text.

use report::text::{Options, run_line, run_report};

use crate::sample;

/// Every option that changes the appearance of the text but not its meaning.
const LOOKS: [Options; 4] = [
    Options { width: 100, color: false, unicode: true },
    Options { width: 100, color: false, unicode: false },
    Options { width: 72, color: false, unicode: true },
    Options { width: 140, color: false, unicode: true },
];

#[test]
fn a_storm_on_one_screen() {
    insta::assert_snapshot!(run_report(&sample::storm(), Options::default()));
}

#[test]
fn a_storm_in_ascii_on_a_narrow_screen() {
    insta::assert_snapshot!(run_report(&sample::storm(), Options { width: 72, unicode: false, ..Options::default() }));
}

#[test]
fn a_calm_run_leaves_out_what_says_nothing() {
    insta::assert_snapshot!(run_report(&sample::calm(), Options::default()));
}

#[test]
fn no_line_is_wider_than_asked() {
    for result in [sample::storm(), sample::calm(), sample::crowded()] {
        for options in LOOKS {
            for line in run_report(&result, options).lines() {
                assert!(line.chars().count() <= options.width, "{} > {}: {line}", line.chars().count(), options.width);
                assert_eq!(line, line.trim_end(), "spaces at the end");
                assert!(options.unicode || line.is_ascii(), "{line}");
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let plain = run_report(&sample::storm(), Options::default());
    let colourful = run_report(&sample::storm(), Options { color: true, ..Options::default() });
    assert_ne!(plain, colourful);
    let mut stripped = String::new();
    let mut rest = colourful.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        stripped.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}

#[test]
fn the_text_does_not_depend_on_how_fast_the_machine_is() {
    let mut slow = sample::storm();
    slow.run.wall_s = 99.0;
    slow.run.events_per_s = 1.0;
    assert_eq!(run_report(&slow, Options::default()), run_report(&sample::storm(), Options::default()));
}

#[test]
fn a_run_in_one_line() {
    assert_eq!(
        run_line(&sample::storm(), Options::default()),
        "goodput 268/s of 1.20 k/s (22 %) · p50 12.3 ms · p99 52.9 ms · queue of api up to 143 k · 87 % of api wasted\n"
    );
}

#[test]
fn an_empty_result_is_reported_without_a_panic() {
    let empty = lab::result::RunResult::default();
    for options in LOOKS {
        assert!(!run_report(&empty, options).is_empty());
        assert!(!run_line(&empty, options).is_empty());
    }
}

#[test]
fn a_run_cut_short_says_so_at_the_top() {
    let mut result = sample::calm();
    result.run.finished = false;
    let text = run_report(&result, Options::default());
    assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("CUT SHORT at 3m")), "{text}");
}
