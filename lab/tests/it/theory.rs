//! Simulated systems against their closed forms.
//!
//! Each figure is missed by chance once in 10⁶ times; with fewer than a hundred figures the whole table fails by chance
//! less than once in 10⁴ changes of the random numbers.

use lab::theory::{batch_delay, batch_size, cases, erlang_b, erlang_c};
use rayon::prelude::*;

#[test]
fn simulated_systems_agree_with_theory() {
    let judged: Vec<_> = cases().par_iter().map(|case| case.judge(1)).collect();
    let mut wrong = Vec::new();
    for verdicts in judged {
        for v in verdicts.unwrap_or_else(|why| panic!("{why}")) {
            if !v.agrees() || v.half_width > 0.2 * v.theory {
                let (theory, found) = (v.theory, v.simulated);
                wrong.push(format!("{} {}: theory {theory}, simulated {found} ± {}", v.name, v.metric, v.half_width));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_formulas_give_published_values() {
    // Erlang's own table: 5 lines, 4 erlang: 0.19907; Erlang C of 4 and 3.2: 0.5964.
    assert!((erlang_b(5, 4.0) - 0.19907).abs() < 1e-5);
    assert!((erlang_c(4, 3.2) - 0.5964).abs() < 1e-4);
    for (rate, size, delay_ms) in [
        (50.0, 1.5, 8.333),
        (100.0, 2.0, 7.5),
        (200.0, 3.0, 6.666),
        (500.0, 5.946, 5.693),
        (900.0, 8.814, 4.511),
        (1000.0, 9.207, 4.207),
        (2000.0, 9.997, 2.249),
        (10_000.0, 10.0, 0.45),
    ] {
        assert!((batch_size(10, rate, 0.01) - size).abs() < 6e-4, "{rate}: {}", batch_size(10, rate, 0.01));
        let delay = batch_delay(10, rate, 0.01) * 1000.0;
        assert!((delay - delay_ms).abs() < 1e-3, "{rate}: {delay}");
    }
}
