//! Outages: when goodput was low because of faults, and what kept it low.

use lab::recovery::{Episode, windows_between};
use lab::result::RunResult;

use super::recovery::{RECOVERED_SHARE, Recovery, Story, name};
use super::{Draft, why};

/// A fall of goodput under faults, from where it begins to where it ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outage {
    /// The names of the faults.
    pub(crate) name: String,
    /// When they struck, s, and when the last of them ended.
    pub(crate) at_s: f64,
    pub(crate) ended_s: Option<f64>,
    /// When goodput was back, s; `None` where it did not come back.
    pub(crate) back_s: Option<f64>,
    /// Where what is seen of it ends, s.
    pub(crate) until_s: f64,
    /// The lowest goodput, as a share of what was to be expected.
    pub(crate) lowest: f64,
    /// For how long it was below 95 %, s.
    pub(crate) low_s: f64,
    /// Requests lost.
    pub(crate) lost: f64,
    /// What keeps it down, as a sentence after a blank; empty where it came back or nothing is known.
    pub(crate) because: String,
}

/// Every fall of goodput, in the order of time.
pub(crate) fn outages(result: &RunResult) -> Vec<Outage> {
    let episodes = lab::recovery::episodes(&result.faults);
    let outage = |(index, episode): (usize, &Episode)| {
        let story = Story::new(result, &episodes, index)?;
        let (back_s, tail_s) = match story.told() {
            Recovery::Unknown | Recovery::Unharmed { .. } => return None,
            Recovery::StillActing { share, .. } if share >= RECOVERED_SHARE => return None,
            Recovery::Recovered { at_s, .. } | Recovery::Remedied { at_s, .. } => (Some(at_s), None),
            Recovery::Lost { tail_s, .. } => (None, Some(tail_s)),
            Recovery::CutOff { .. } | Recovery::StillActing { .. } => (None, None),
        };
        let until_s = back_s.map_or(story.watched_until_s, |back_s| back_s.max(episode.settled_s()));
        let series = &result.series;
        let low = windows_between(series, story.at_s, until_s).filter(|window| {
            let at_s = series.at_s[*window];
            story.share(at_s, at_s + series.window_s).is_some_and(|share| share < RECOVERED_SHARE)
        });
        let because = |(from_s, until_s): (f64, f64)| {
            why::kept_down(&mut Draft::new("not_recovered", "faults"), result, from_s, until_s)
        };
        Some(Outage {
            name: name(result, episode),
            at_s: story.at_s,
            ended_s: story.until_s,
            back_s,
            until_s: story.watched_until_s,
            lowest: story.depth(until_s),
            low_s: low.count() as f64 * series.window_s,
            lost: story.lost().max(0.0),
            because: tail_s.map(because).unwrap_or_default(),
        })
    };
    episodes.iter().enumerate().filter_map(outage).collect()
}
