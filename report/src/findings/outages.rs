//! Outages: times of low goodput due to faults, and what kept it low.

use lab::recovery::{Episode, windows_between};
use lab::result::RunResult;

use super::recovery::{RECOVERED_SHARE, Recovery, Story, name};
use super::{Draft, why};

/// A drop of goodput under faults, from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outage {
    /// The names of the faults.
    pub(crate) name: String,
    /// When they struck, s, and when the last of them ended.
    pub(crate) at_s: f64,
    pub(crate) ended_s: Option<f64>,
    /// When goodput recovered, s; `None` if it did not.
    pub(crate) back_s: Option<f64>,
    /// End of the observation, s.
    pub(crate) until_s: f64,
    /// The lowest goodput, as a share of the expected level.
    pub(crate) lowest: f64,
    /// Time for which it was below 95 %, s.
    pub(crate) low_s: f64,
    /// Number of requests lost.
    pub(crate) lost: f64,
    /// What keeps it down, as a sentence after a blank; empty if it recovered or the cause is unknown.
    pub(crate) because: String,
}

/// Every drop of goodput, in chronological order.
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
