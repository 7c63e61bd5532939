//! Faults that act together, and the calm before and after them: what recoveries are measured against.

use crate::result::FaultWindow;

/// Faults that overlap or touch in time, seen as one: they can only be recovered from together. What strikes after one that
/// never ends is an episode of its own, and so is a change for good ([`FaultWindow::for_good`]), which is no part of others and
/// ends none.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Names, in the order in which they struck: `slow-db and kill api`.
    pub name: String,
    /// How many faults it has.
    pub count: usize,
    /// When the first struck, s.
    pub at_s: f64,
    /// When the last ended; `None` where one never does.
    pub until_s: Option<f64>,
    /// The last instant at which one of them struck or ended, s.
    pub settled_s: f64,
    /// Whether it is a change for good.
    pub for_good: bool,
}

/// What a fault or an event is called in a sentence: its name, else what it does.
#[must_use]
pub fn name_of(fault: &FaultWindow) -> &str {
    fault.name.as_deref().unwrap_or(&fault.what)
}

/// The episodes of a run, in the order of time.
#[must_use]
pub fn episodes(faults: &[FaultWindow]) -> Vec<Episode> {
    let mut sorted: Vec<&FaultWindow> = faults.iter().collect();
    // A change for good that comes at the same time as others comes before them.
    sorted.sort_by(|left, right| left.at_s.total_cmp(&right.at_s).then(right.for_good.cmp(&left.for_good)));
    let mut episodes: Vec<(Episode, Vec<&str>)> = Vec::new();
    for fault in sorted {
        let settled_s = fault.until_s.unwrap_or(fault.at_s);
        let open = episodes.iter_mut().rev().find(|(episode, _)| !episode.for_good);
        if let Some((episode, names)) = open
            && !fault.for_good
            && fault.at_s <= episode.settled_s
        {
            episode.until_s = episode.until_s.zip(fault.until_s).map(|(left, right)| left.max(right));
            episode.settled_s = episode.settled_s.max(settled_s);
            names.push(name_of(fault));
            continue;
        }
        let (at_s, until_s, for_good) = (fault.at_s, fault.until_s, fault.for_good);
        let episode = Episode { name: String::new(), count: 0, at_s, until_s, settled_s, for_good };
        episodes.push((episode, vec![name_of(fault)]));
    }
    let named =
        |(episode, names): (Episode, Vec<&str>)| Episode { name: joined(&names), count: names.len(), ..episode };
    episodes.into_iter().map(named).collect()
}

/// From when to when it was calm before an episode: since the last one before it was over, or since the warm-up.
#[must_use]
pub fn calm_before(episodes: &[Episode], index: usize) -> (f64, f64) {
    let at_s = episodes[index].at_s;
    let settled = episodes[..index].iter().map(|earlier| earlier.settled_s).fold(0.0, f64::max);
    (settled.min(at_s), at_s)
}

/// When the next episode strikes, which ends what can be said of this one; the end of the run where there is none.
#[must_use]
pub fn watched_until(episodes: &[Episode], index: usize, end_s: f64) -> f64 {
    let next = episodes[index + 1..].iter().find(|next| !next.for_good);
    next.map_or(end_s, |next| next.at_s.min(end_s))
}

/// The episode to which a fault belongs.
#[must_use]
pub fn episode_of(episodes: &[Episode], fault: &FaultWindow) -> Option<usize> {
    let is_within = |episode: &Episode| (episode.at_s..=episode.settled_s).contains(&fault.at_s);
    episodes.iter().position(|episode| episode.for_good == fault.for_good && is_within(episode))
}

/// `a`, `a and b`, `a, b and 3 others`.
#[must_use]
pub fn joined(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} others", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, at_s: f64, until_s: Option<f64>) -> FaultWindow {
        FaultWindow { name: Some(name.to_owned()), at_s, until_s, ..FaultWindow::default() }
    }

    #[test]
    fn overlapping_faults_are_one_episode() {
        let faults = [fault("b", 15.0, Some(30.0)), fault("a", 10.0, Some(20.0)), fault("c", 40.0, None)];
        let found = episodes(&faults);
        assert_eq!(found.len(), 2);
        let together = Episode {
            name: "a and b".to_owned(),
            count: 2,
            at_s: 10.0,
            until_s: Some(30.0),
            settled_s: 30.0,
            for_good: false,
        };
        assert_eq!(found[0], together);
        assert_eq!(found[1].until_s, None);
    }

    #[test]
    fn what_strikes_after_a_fault_that_never_ends_is_an_episode_of_its_own() {
        let faults = [
            fault("for ever", 10.0, None),
            fault("a", 20.0, Some(30.0)),
            fault("b", 25.0, None),
            fault("c", 30.0, Some(40.0)),
            fault("d", 50.0, Some(60.0)),
        ];
        let found: Vec<(String, Option<f64>, f64)> =
            episodes(&faults).into_iter().map(|episode| (episode.name, episode.until_s, episode.settled_s)).collect();
        let expected = [("for ever", None, 10.0), ("a, b and c", None, 40.0), ("d", Some(60.0), 60.0)];
        assert_eq!(found, expected.map(|(name, until_s, settled_s)| (name.to_owned(), until_s, settled_s)));
    }

    #[test]
    fn a_change_for_good_joins_no_episode_and_ends_none() {
        let set = FaultWindow { for_good: true, ..fault("set", 70.0, None) };
        let faults =
            [fault("outage", 60.0, Some(80.0)), set, fault("late", 75.0, Some(90.0)), fault("last", 200.0, None)];
        let found = episodes(&faults);
        let names: Vec<&str> = found.iter().map(|episode| episode.name.as_str()).collect();
        assert_eq!(names, ["outage and late", "set", "last"]);
        assert_eq!(found[0].until_s, Some(90.0));
        assert_eq!(watched_until(&found, 0, 300.0), 200.0);
        assert_eq!(
            (calm_before(&found, 0), calm_before(&found, 1), calm_before(&found, 2)),
            ((0.0, 60.0), (70.0, 70.0), (90.0, 200.0))
        );
        assert_eq!(episode_of(&found, &faults[2]), Some(0));
        assert_eq!(episode_of(&found, &faults[1]), Some(1));
    }
}
