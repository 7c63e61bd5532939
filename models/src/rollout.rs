//! Rolling updates, as the controller of Kubernetes' Deployments makes them (`pkg/controller/deployment/rolling.go` at v1.30).
//!
//! At each step it first creates new replicas, as long as there are no more than `replicas + surge` of both kinds. Then it removes old ones: those
//! that are not available first, and others as long as at least `replicas − unavailable` are available. Replicas that shut down count no longer.

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
    /// The next step; `None` when all are new.
    pub fn step(&self, there: There) -> Option<Step> {
        let There { old_available, old_unavailable, new_available, new_unavailable } = there;
        let (old, new) = (old_available + old_unavailable, new_available + new_unavailable);
        if old == 0 && new >= self.replicas && new_unavailable == 0 {
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
        Some(Step { start, stop_unavailable, stop_available })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes on until all are new, where new ones become available one by one; how many there were and were available at each step.
    fn course(bounds: Bounds) -> Vec<(u32, u32)> {
        let mut there = There { old_available: bounds.replicas, ..There::default() };
        let mut course = Vec::new();
        for _ in 0..1_000 {
            let Some(Step { start, stop_unavailable, stop_available }) = bounds.step(there) else { return course };
            there.new_unavailable += start;
            there.old_unavailable -= stop_unavailable;
            there.old_available -= stop_available;
            let available = there.old_available + there.new_available;
            course.push((available + there.old_unavailable + there.new_unavailable, available));
            if (start, stop_unavailable, stop_available) == (0, 0, 0) {
                assert!(there.new_unavailable > 0, "it does not stand still: {there:?}");
                there.new_unavailable -= 1;
                there.new_available += 1;
            }
        }
        panic!("it does not end: {there:?}");
    }

    /// The example of Kubernetes' documentation: 10 replicas, a quarter each way (surge rounds up, unavailable down).
    #[test]
    fn of_ten_there_are_never_fewer_than_eight_or_more_than_thirteen() {
        let course = course(Bounds { replicas: 10, surge: 3, unavailable: 2 });
        assert!(course.iter().all(|(total, available)| *total <= 13 && *available >= 8), "{course:?}");
        assert_eq!((course[0], course.last()), ((11, 8), Some(&(10, 9))));
        assert!(course.iter().any(|(total, _)| *total == 13) && course.iter().any(|(_, available)| *available == 8));
    }

    /// `TestDeploymentController_reconcileOldReplicaSets` and `…_scaleDownOldReplicaSetsForRollingUpdate` (`rolling_test.go` at v1.30): desired 10,
    /// no surge, at most so many unavailable; what is there, and how many old ones go.
    #[test]
    fn steps_are_those_of_the_controllers_own_tests() {
        let step = |unavailable, old_available, old_unavailable, new_available, new_unavailable| {
            let there = There { old_available, old_unavailable, new_available, new_unavailable };
            let step = Bounds { replicas: 10, surge: 0, unavailable }.step(there).expect("not over");
            step.stop_unavailable + step.stop_available
        };
        // Nothing may go: 10 available are needed.
        assert_eq!(step(0, 10, 0, 0, 0), 0);
        // Two may be unavailable.
        assert_eq!(step(2, 10, 0, 0, 0), 2);
        // Unhealthy old ones go first: 8 of 10 are available, and the other two can go.
        assert_eq!(step(2, 8, 2, 0, 0), 2);
        // The new two are not available yet.
        assert_eq!(step(2, 8, 0, 0, 2), 0);
        assert_eq!(step(2, 8, 0, 2, 0), 2);
    }

    #[test]
    fn it_always_ends() {
        for replicas in 1..12 {
            for (surge, unavailable) in [(1, 0), (0, 1), (3, 2), (12, 12), (1, 1)] {
                let bounds = Bounds { replicas, surge, unavailable };
                let course = course(bounds);
                let least = replicas.saturating_sub(unavailable);
                assert!(
                    course.iter().all(|(total, available)| *total <= replicas + surge && *available >= least),
                    "{bounds:?}: {course:?}"
                );
            }
        }
    }
}
