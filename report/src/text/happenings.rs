//! The section of happenings: those that the faults do not already state.

use lab::happenings::Moment;
use lab::result::RunResult;

use super::paint::{Ink, Page, Span};
use super::table::{Column, Table};
use crate::happenings;
use crate::units;

/// Maximum number of rows for the oldest happenings …
const FIRST: usize = 6;
/// … and for the newest; the rest are counted.
const LAST: usize = 3;

/// Writes the section, unless it is empty.
pub(super) fn happenings(page: &mut Page, result: &RunResult) {
    let moments = happenings::unannounced(result);
    if moments.is_empty() {
        return;
    }
    page.line(&[Span::new("Happenings", Ink::Strong)]);
    let mut table = Table::new(vec![Column::left(""), Column::right("at"), Column::left("what")]);
    let is_whole = moments.len() <= FIRST + LAST && result.happenings.iter().all(|of| happenings::left_out(of) == 0);
    let first = if is_whole { moments.len() } else { FIRST.min(moments.len()) };
    moments[..first].iter().for_each(|moment| table.row(row(moment)));
    if !is_whole {
        let last = moments.len().saturating_sub(LAST).max(first);
        table.row(vec![Span::default(), Span::plain("…"), Span::new(between(result, &moments[first..last]), Ink::Dim)]);
        moments[last..].iter().for_each(|moment| table.row(row(moment)));
    }
    table.write(page, 0);
    page.gap();
}

fn row(moment: &Moment<'_>) -> Vec<Span> {
    vec![Span::new(moment.place, Ink::Strong), Span::plain(units::instant(moment.at_s)), Span::plain(moment.words())]
}

/// Happenings without a row of their own: `replica failed ×120, replica repaired ×119`.
fn between(result: &RunResult, moments: &[Moment<'_>]) -> String {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    let told = moments.iter().map(|moment| (moment.name, moment.replicas.len().max(1) as u64));
    let left_out = result.happenings.iter().map(|of| (of.name.as_str(), happenings::left_out(of)));
    for (name, count) in told.chain(left_out).filter(|(_, count)| *count > 0) {
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => counts.push((name, count)),
        }
    }
    let words = counts.iter().map(|(name, count)| format!("{} ×{}", name.replace('_', " "), units::grouped(*count)));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use lab::result::{HappenedAt, Happenings};

    use super::*;
    use crate::sample;
    use crate::text::Options;

    fn told(happenings: Vec<Happenings>) -> Vec<String> {
        let mut page = Page::new(Options { width: 80, ..Options::default() });
        super::happenings(&mut page, &RunResult { happenings, ..sample::storm() });
        page.finish().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    type At<'a> = (f64, Option<u32>, Option<&'a str>);

    fn of(name: &str, place: &str, first: &[At<'_>]) -> Happenings {
        let at = |(at_s, replica, about): &At<'_>| HappenedAt {
            at_s: *at_s,
            replica: *replica,
            about: about.map(str::to_owned),
        };
        Happenings {
            name: name.to_owned(),
            place: place.to_owned(),
            count: first.len() as u64,
            first: first.iter().map(at).collect(),
            ..Happenings::default()
        }
    }

    #[test]
    fn what_the_faults_say_already_makes_no_section() {
        assert!(told(vec![of("replica_killed", "db", &[(60.0, None, None)])]).is_empty());
        assert!(told(Vec::new()).is_empty());
    }

    #[test]
    fn a_few_are_told_one_by_one() {
        let killed = [(61.0, Some(0), None), (61.0, Some(1), None)];
        let lines = told(vec![
            of("replica_failed", "api", &killed),
            of("target_unhealthy", "names", &[(-2.0, None, Some("us/lb")), (85.25, None, Some("us/lb"))]),
        ]);
        assert_eq!(
            lines,
            [
                "Happenings",
                "             at  what",
                "names       -2s  target unhealthy: us/lb",
                "api        1m1s  replica failed (replicas 0 and 1)",
                "names  1m25.25s  target unhealthy: us/lb",
                ""
            ]
        );
    }

    #[test]
    fn of_many_the_first_and_the_last_are_told_and_the_rest_is_counted() {
        let all: Vec<At<'_>> = (0..64).map(|second| (f64::from(second), None, None)).collect();
        let mut many = of("replica_failed", "api", &all);
        many.count = 1_000;
        let lines = told(vec![many]);
        assert_eq!(lines.len(), 2 + FIRST + 1 + LAST + 1, "{lines:#?}");
        assert_eq!(lines[2], "api    0s  replica failed");
        // 64 are kept, of which 55 are not shown, and 936 are not kept.
        assert_eq!(lines[8], "        …  replica failed ×991");
        assert_eq!(lines[11], "api  1m3s  replica failed");
    }
}
