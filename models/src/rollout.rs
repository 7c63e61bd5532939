//! Rolling updates, as the controller of Kubernetes' Deployments makes them: `reconcileNewReplicaSet` and `reconcileOldReplicaSets` in
//! `pkg/controller/deployment/rolling.go` (read at 03e06024), `NewRSNewReplicas` and `ResolveFenceposts` in `util/deployment_util.go`.
//!
//! At each step it first creates new replicas, as long as there are no more than `replicas + surge` of both kinds; where there are more new ones than
//! are wanted by now, it removes those. Then it removes old ones: those that are not available first, and others as long as at least
//! `replicas − unavailable` are available. Replicas that shut down count no longer. A change of `replicas` during an update takes effect by these
//! steps alone; the controller also spreads it over old and new ones in proportion.

use crate::share_or_count::ShareOrCount;

/// What there is of each kind, without those that shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct There {
    /// Old ones that are available.
    pub old_available: u32,
    /// Old ones that are not.
    pub old_unavailable: u32,
    /// New ones that are available.
    pub new_available: u32,
    /// New ones that are not yet.
    pub new_unavailable: u32,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// New ones to start.
    pub start: u32,
    /// New ones to shut down, where fewer are wanted than there are.
    pub stop_new: u32,
    /// Old ones to shut down that are not available …
    pub stop_unavailable: u32,
    /// … and that are.
    pub stop_available: u32,
}

/// The bounds of a rolling update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many there are to be.
    pub replicas: u32,
    /// How many more there may be meanwhile.
    pub surge: u32,
    /// How many fewer may be available meanwhile.
    pub unavailable: u32,
}

impl Bounds {
    /// Shares are of what is wanted: surge is rounded up, unavailable down. Where neither leaves room, one may be missing.
    pub fn of(replicas: u32, surge: ShareOrCount, unavailable: ShareOrCount) -> Bounds {
        let (surge, unavailable) = (surge.rounded_up(replicas), unavailable.rounded_down(replicas));
        Bounds { replicas, surge, unavailable: if surge == 0 { unavailable.max(1) } else { unavailable } }
    }

    /// The next step; `None` when all are new.
    pub fn step(&self, there: There) -> Option<Step> {
        let There { old_available, old_unavailable, new_available, new_unavailable } = there;
        let (old, new) = (old_available + old_unavailable, new_available + new_unavailable);
        if new > self.replicas {
            return Some(Step { stop_new: new - self.replicas, ..Step::default() });
        }
        if old == 0 && new == self.replicas && new_unavailable == 0 {
            return None;
        }
        let most = self.replicas + self.surge;
        let start = most.saturating_sub(old + new).min(self.replicas.saturating_sub(new));
        let (total, new_unavailable) = (old + new + start, new_unavailable + start);
        let least = self.replicas.saturating_sub(self.unavailable);
        let may_go = total.saturating_sub(least + new_unavailable).min(old);
        let stop_unavailable = old_unavailable.min(may_go);
        let available = old_available + new_available;
        let stop_available = (may_go - stop_unavailable).min(available.saturating_sub(least)).min(old_available);
        Some(Step { start, stop_unavailable, stop_available, stop_new: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(surge: ShareOrCount, unavailable: ShareOrCount) -> Bounds {
        Bounds::of(10, surge, unavailable)
    }

    fn count(count: u32) -> ShareOrCount {
        ShareOrCount::Count(count)
    }

    /// Goes on until all are new, where new ones become available one by one; how many there were and were available at each step.
    fn course(bounds: Bounds) -> Vec<(u32, u32)> {
        let mut there = There { old_available: bounds.replicas, ..There::default() };
        let mut course = Vec::new();
        for _ in 0..1_000 {
            let Some(step) = bounds.step(there) else { return course };
            there.new_unavailable += step.start;
            there.old_unavailable -= step.stop_unavailable;
            there.old_available -= step.stop_available;
            let available = there.old_available + there.new_available;
            course.push((available + there.old_unavailable + there.new_unavailable, available));
            if step == Step::default() {
                assert!(there.new_unavailable > 0, "it does not stand still: {there:?}");
                there.new_unavailable -= 1;
                there.new_available += 1;
            }
        }
        panic!("it does not end: {there:?}");
    }

    /// 10 replicas, a quarter each way: surge rounds up to 3, unavailable down to 2.
    #[test]
    fn of_ten_there_are_never_fewer_than_eight_or_more_than_thirteen() {
        let quarter = ShareOrCount::Share(0.25);
        let course = course(bounds(quarter, quarter));
        assert!(course.iter().all(|(total, available)| *total <= 13 && *available >= 8), "{course:?}");
        assert_eq!((course[0], course.last()), ((11, 8), Some(&(10, 9))));
        assert!(course.iter().any(|(total, _)| *total == 13) && course.iter().any(|(_, available)| *available == 8));
    }

    /// `TestDeploymentController_reconcileNewReplicaSet` (`rolling_test.go`, read at 00bdb3fa): 10 wanted, none may be missing; surge, old, new, and how
    /// many new ones there are after the step.
    #[test]
    fn new_ones_are_those_of_the_controllers_own_test() {
        for (surge, old, new, after) in [(0, 10, 0, 0), (2, 10, 0, 2), (2, 5, 0, 7), (2, 10, 2, 2), (2, 2, 11, 10)] {
            let there = There { old_available: old, new_available: new, ..There::default() };
            let step = bounds(count(surge), count(0)).step(there).expect("not over");
            assert_eq!(new + step.start - step.stop_new, after, "surge {surge}, {old} old ones, {new} new ones");
        }
    }

    /// `TestDeploymentController_reconcileOldReplicaSets` (`rolling_test.go`, read at 00bdb3fa): 10 wanted, no surge; how many may be missing, old ones and
    /// how many of them are ready, new ones and how many of them are ready, and how many old ones are left. Where none may be missing either,
    /// one may be.
    #[test]
    fn old_ones_are_those_of_the_controllers_own_test() {
        for (unavailable, old, old_ready, new, new_ready, after) in
            [(0, 10, 10, 0, 0, 9), (2, 10, 10, 0, 0, 8), (2, 10, 8, 0, 0, 8), (2, 10, 9, 0, 0, 8), (2, 8, 8, 2, 0, 8)]
        {
            let there = There {
                old_available: old_ready,
                old_unavailable: old - old_ready,
                new_available: new_ready,
                new_unavailable: new - new_ready,
            };
            // The test looks at this half of a step alone; in the other half nothing can start, as there are ten already.
            let step = bounds(count(0), count(unavailable)).step(there).expect("not over");
            assert_eq!((step.start, old - step.stop_unavailable - step.stop_available), (0, after), "{there:?}");
        }
    }

    /// `TestDeploymentController_cleanupUnhealthyReplicas` (`rolling_test.go`, read at 00bdb3fa): of those that may go, the unavailable ones go first.
    #[test]
    fn those_that_are_not_available_go_first() {
        for (ready, may_go, unavailable_ones) in [(8, 1, 1), (8, 3, 2), (8, 0, 0), (10, 3, 0)] {
            let there = There { old_available: ready, old_unavailable: 10 - ready, ..There::default() };
            let bounds = Bounds { replicas: 10, surge: 0, unavailable: may_go };
            assert_eq!(bounds.step(there).expect("not over").stop_unavailable, unavailable_ones, "{ready} ready");
        }
    }

    /// The six examples in the comment of `ResolveFenceposts`: wanted, surge, unavailable, and which of both leaves room for one.
    #[test]
    fn shares_that_round_to_nothing_leave_room_for_one() {
        for (replicas, surge, unavailable, resolved) in [
            (2, 0.0, 0.01, (0, 1)),
            (1, 0.0, 0.01, (0, 1)),
            (2, 0.01, 0.25, (1, 0)),
            (1, 0.01, 0.25, (1, 0)),
            (2, 0.01, 0.0, (1, 0)),
            (1, 0.01, 0.0, (1, 0)),
        ] {
            let bounds = Bounds::of(replicas, ShareOrCount::Share(surge), ShareOrCount::Share(unavailable));
            assert_eq!((bounds.surge, bounds.unavailable), resolved, "{replicas} with {surge} and {unavailable}");
        }
    }

    #[test]
    fn it_always_ends() {
        for replicas in 1..12 {
            for (surge, unavailable) in [(1, 0), (0, 1), (3, 2), (12, 12), (1, 1), (0, 0)] {
                let bounds = Bounds::of(replicas, count(surge), count(unavailable));
                let course = course(bounds);
                let least = replicas.saturating_sub(bounds.unavailable);
                assert!(
                    course.iter().all(|(total, available)| *total <= replicas + surge && *available >= least),
                    "{bounds:?}: {course:?}"
                );
            }
        }
    }
}
