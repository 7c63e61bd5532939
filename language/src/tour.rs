//! Tours: the points of interest of a run and their instants, so that an outage can be told as a story.
//!
//! A tour is a file beside its scenario: `shop.tour.yaml` beside `shop.yaml`. Its texts may name columns of the time
//! series in braces, which are shown as on the screen: `{links.shoppers.call.amplification}`.

use settings::{Problem, Problems, Reader, Setting, SignedDuration, Spanned};

use crate::document::{Sources, read_document};

/// A stop of a tour.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct StopSettings {
    /// Instant at which playback pauses.
    pub at: SignedDuration,
    /// Text of the stop. `{METRIC}` is replaced by the newest value of a column of the time series.
    pub text: Spanned<String>,
    /// Component or workload selected at the stop.
    pub focus: Option<Spanned<String>>,
}

/// A tour.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct TourSettings {
    /// Version of the format: 1.
    #[setting(range = "1..=1")]
    pub version: u32,
    /// Stops in chronological order.
    pub tour: Vec<StopSettings>,
}

/// A piece of a stop's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Plain text.
    Words(&'a str),
    /// The name of a figure, written in braces.
    Figure(&'a str),
}

/// Splits a text into pieces. An unclosed brace is plain text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { break };
        pieces.push(Piece::Words(before));
        pieces.push(Piece::Figure(name.trim()));
        rest = behind;
    }
    pieces.push(Piece::Words(rest));
    pieces.retain(|piece| *piece != Piece::Words(""));
    pieces
}

/// Reads a tour of a run. `is_figure` and `is_node` check for the figures, and for the components and workloads, of the
/// run.
///
/// # Errors
/// All problems, and the sources that they point into.
pub fn read(
    name: &str,
    bytes: &[u8],
    is_figure: impl Fn(&str) -> bool,
    is_node: impl Fn(&str) -> bool,
) -> Result<Vec<StopSettings>, (Vec<Problem>, Sources)> {
    let mut sources = Sources::new();
    let document = match read_document(&mut sources, name, bytes) {
        Ok(document) => document,
        Err(problems) => return Err((problems.into_sorted(), sources)),
    };
    let mut reader = Reader::new();
    let read = TourSettings::read(&document, &mut reader);
    let mut problems = reader.problems;
    let Some(read) = read else { return Err((problems.into_sorted(), sources)) };
    check(&read, &mut problems, is_figure, is_node);
    if problems.has_errors() { Err((problems.into_sorted(), sources)) } else { Ok(read.tour) }
}

fn check(
    read: &TourSettings,
    problems: &mut Problems,
    is_figure: impl Fn(&str) -> bool,
    is_node: impl Fn(&str) -> bool,
) {
    let mut before = None;
    for stop in &read.tour {
        for piece in pieces(&stop.text.value) {
            if let Piece::Figure(figure) = piece
                && !is_figure(figure)
            {
                let message = format!("this run has no time series `{figure}`");
                let problem = Problem::error("unknown_metric", stop.text.span, message).path(stop.text.path.clone());
                problems.push(problem.help("`run --format csv` lists the columns, such as `workloads.users.goodput`"));
            }
        }
        if let Some(focus) = stop.focus.as_ref().filter(|focus| !is_node(&focus.value)) {
            let message = format!("no component or workload is called `{}`", focus.value);
            problems.push(Problem::error("unknown_name", focus.span, message).path(focus.path.clone()));
        }
        if before.is_some_and(|before| before >= stop.at.0) {
            let message = "this stop is not later than the one before it";
            problems.push(Problem::error("bad_order", stop.text.span, message).path(stop.text.path.clone()));
        }
        before = Some(stop.at.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let is_figure = |name: &str| name == "components.db.queue.depth";
        match read("x.tour.yaml", text.as_bytes(), is_figure, |name| name == "db") {
            Ok(_) => Vec::new(),
            Err((problems, _)) => problems.into_iter().map(|problem| problem.message).collect(),
        }
    }

    #[test]
    fn a_text_is_words_and_figures() {
        let text = "queue {components.db.queue.depth}, and { open";
        let figure = Piece::Figure("components.db.queue.depth");
        assert_eq!(pieces(text), [Piece::Words("queue "), figure, Piece::Words(", and { open")]);
        assert_eq!(pieces("{a}{b}"), [Piece::Figure("a"), Piece::Figure("b")]);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn what_a_run_does_not_have_is_refused() {
        let good = "version: 1\ntour:\n  - {at: -5s, text: 'calm'}\n  - {at: 1m, text: 'queue {components.db.queue.depth}', focus: db}\n";
        assert!(problems(good).is_empty(), "{:?}", problems(good));
        let wrong = "version: 1\ntour:\n  - {at: 1m, text: '{components.api.queue.depth}', focus: api}\n  - {at: 1m, text: 'x'}\n";
        assert_eq!(
            problems(wrong),
            [
                "this run has no time series `components.api.queue.depth`",
                "no component or workload is called `api`",
                "this stop is not later than the one before it"
            ]
        );
        assert!(!problems("version: 2\ntour: []\n").is_empty());
        assert!(!problems("tour: 3\n").is_empty());
    }
}
