//! Time slicing against schedules derived by hand, an obvious twin, and processor sharing.

use super::*;

fn of(cores: f64, slice: Span, switch: Span) -> (Turns, Container) {
    let mut turns = Turns::new(cores, Turning { slice, switch });
    let container = turns.add_container(0, 1);
    (turns, container)
}

fn completions(turns: &mut Turns) -> Vec<(Time, u32)> {
    let mut all = Vec::new();
    while let Some(next) = turns.next_completion() {
        let mut done = Vec::new();
        turns.complete_due(next, &mut done);
        all.extend(done.into_iter().map(|key| (next, key)));
    }
    all
}

/// Advances to an instant, stopping at each event; no job may complete.
fn pass(turns: &mut Turns, until: Time) {
    let mut done = Vec::new();
    while let Some(next) = turns.next_completion().filter(|next| *next <= until) {
        turns.complete_due(next, &mut done);
    }
    assert!(done.is_empty(), "{done:?}");
}

/// ```text
///  one core, slices of 3   A 7   B 4   C 2
///  A 0–3   B 3–6   C 6–8   A 8–11   B 11–12   A 12–13
/// ```
#[test]
fn jobs_take_turns() {
    let (mut turns, container) = of(1.0, 3, 0);
    for (key, work) in [(0, 7), (1, 4), (2, 2)] {
        turns.add(0, container, key, work);
    }
    assert_eq!(completions(&mut turns), [(8, 2), (12, 1), (13, 0)]);
    assert_eq!(turns.busy(20), 13);
}

/// The same with a switch cost of 1: A 0–3, B 4–7, C 8–10, A 11–14, B 15–16, A 17–18.
#[test]
fn changing_takes_the_core() {
    let (mut turns, container) = of(1.0, 3, 1);
    for (key, work) in [(0, 7), (1, 4), (2, 2)] {
        turns.add(0, container, key, work);
    }
    assert_eq!(completions(&mut turns), [(10, 2), (16, 1), (18, 0)]);
    assert_eq!((turns.busy(20), turns.switched()), (18, Switched { count: 5, spent: 5 }));
}

/// A job that is alone keeps the core: its slice is renewed at 3 and 6. B, which arrives at 4, waits until 6.
#[test]
fn who_is_alone_goes_on_and_who_comes_waits_for_the_end_of_a_slice() {
    let (mut turns, container) = of(1.0, 3, 0);
    turns.add(0, container, 0, 10);
    let mut done = Vec::new();
    turns.complete_due(3, &mut done);
    turns.add(4, container, 1, 2);
    assert!(done.is_empty());
    assert_eq!(completions(&mut turns), [(8, 1), (12, 0)]);
}

/// Two containers on one core, with weights 1 and 3 and one endless job each: of 4,000 slices, every fourth is the
/// first's.
#[test]
fn containers_get_cores_by_weight() {
    let mut turns = Turns::new(1.0, Turning { slice: 10, switch: 0 });
    let [light, heavy] = [1, 3].map(|weight| turns.add_container(0, weight));
    turns.add(0, light, 0, 1 << 40);
    turns.add(0, heavy, 1, 1 << 40);
    let mut done = Vec::new();
    while let Some(next) = turns.next_completion().filter(|next| *next <= 40_000) {
        turns.complete_due(next, &mut done);
    }
    let used = [light, heavy].map(|container| turns.container_busy(40_000, container));
    assert_eq!(used[0] + used[1], 40_000);
    assert!(used[0].abs_diff(10_000) <= 20, "{used:?}");
}

/// 10,000 threads on four cores that switch every millisecond at a cost of 10 µs: 990.1 switches per second and core,
/// 0.99 % of the cores, and each thread runs once in 2.525 s.
#[test]
fn ten_thousand_threads_take_turns() {
    let (mut turns, container) = of(4.0, 1_000_000, 10_000);
    for key in 0..10_000 {
        turns.add(0, container, key, 1 << 50);
    }
    let (second, mut done) = (1_000_000_000, Vec::new());
    while let Some(next) = turns.next_completion().filter(|next| *next <= 5 * second) {
        turns.complete_due(next, &mut done);
    }
    let Switched { count, spent } = turns.switched();
    assert!((count as f64 / 5.0 / 4.0 - 1e9 / 1_010_000.0).abs() < 0.5, "{count}");
    assert!((spent as f64 / (20 * second) as f64 - 0.0099).abs() < 1e-4, "{spent}");
    assert_eq!(turns.busy(5 * second), u128::from(20 * second));
}

/// With slices of one nanosecond, time slicing equals sharing: the end of every job differs from its end under sharing
/// by at most as many nanoseconds as there are jobs.
#[test]
fn short_turns_are_sharing() {
    let (mut turns, container) = of(1.0, 1, 0);
    let mut group = crate::sharing::Group::new(1.0);
    let works = [700, 300, 900, 50, 410, 410, 1];
    for (key, work) in works.into_iter().enumerate() {
        turns.add(0, container, key as u32, work);
        group.add(0, key as u32, work, 1);
    }
    let mut shared = vec![0; works.len()];
    while let Some(next) = group.next_completion() {
        let mut done = Vec::new();
        group.complete_due(next, &mut done);
        done.into_iter().for_each(|key| shared[key as usize] = next);
    }
    for (at, key) in completions(&mut turns) {
        assert!(at.abs_diff(shared[key as usize]) <= works.len() as u64, "{key}: {at} and {shared:?}");
    }
}

#[test]
fn who_stands_still_gives_its_core_to_others_and_goes_on_later() {
    let mut turns = Turns::new(1.0, Turning { slice: 100, switch: 0 });
    let [one, other] = [1, 1].map(|weight| turns.add_container(0, weight));
    turns.add(0, one, 0, 50);
    turns.add(0, other, 1, 30);
    turns.set_standing(20, one, true);
    let mut done = Vec::new();
    turns.complete_due(50, &mut done);
    assert_eq!((done, turns.next_completion()), (vec![1], None));
    turns.set_standing(60, one, false);
    assert_eq!(completions(&mut turns), [(90, 0)]);
    assert_eq!((turns.container_busy(90, one), turns.container_busy(90, other)), (50, 30));
}

#[test]
fn half_of_a_core_is_a_slow_one_and_cores_that_go_give_their_jobs_back() {
    let (mut turns, container) = of(2.0, 10, 0);
    let first = turns.add(0, container, 0, 100);
    turns.add(0, container, 1, 100);
    pass(&mut turns, 50);
    turns.set_capacity(50, 0.5);
    // One slow core: 50 of each job are left, which take 100 each at half the speed, in turns.
    assert_eq!(turns.left(50, first), Some(50));
    let mut ends: Vec<Time> = completions(&mut turns).into_iter().map(|(at, _)| at).collect();
    ends.sort_unstable();
    assert_eq!(ends.last(), Some(&250));
    assert_eq!(turns.busy(250), 100 + 100);
}

#[test]
fn what_is_taken_back_has_its_work_left() {
    let (mut turns, container) = of(1.0, 10, 2);
    let first = turns.add(0, container, 0, 100);
    let second = turns.add(0, container, 1, 100);
    assert_eq!(turns.remove(5, first), Some(95));
    assert_eq!(turns.remove(5, first), None);
    // The other job has the core after a switch.
    pass(&mut turns, 20);
    assert_eq!(turns.left(20, second), Some(87));
    let mut gone = Vec::new();
    turns.clear(20, container, &mut gone);
    assert_eq!((gone, turns.len(), turns.next_completion()), (vec![1], 0, None));
}

/// One core and random jobs, against a loop that advances nanosecond by nanosecond.
#[test]
fn turns_are_what_a_loop_over_nanoseconds_makes_of_them() {
    let mut random = 99_u64;
    let mut draw = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for _ in 0..200 {
        let (slice, switch) = (1 + draw(6), draw(3));
        let (mut turns, container) = of(1.0, slice, switch);
        let mut arrivals: Vec<(Time, u64)> = (0..8).map(|_| (draw(40), 1 + draw(12))).collect();
        arrivals.sort_unstable();
        // The obvious way: the running job, the rest of its slice and of a switch, and the waiting jobs.
        let (mut line, mut left): (VecDeque<usize>, Vec<u64>) =
            (VecDeque::new(), arrivals.iter().map(|a| a.1).collect());
        let (mut runs, mut slice_left, mut switch_left): (Option<usize>, u64, u64) = (None, 0, 0);
        let mut expected = Vec::new();
        let mut found = Vec::new();
        for now in 0..400 {
            // Completions at this instant come before arrivals.
            let mut done = Vec::new();
            if turns.next_completion() == Some(now) {
                turns.complete_due(now, &mut done);
            }
            found.extend(done.into_iter().map(|key| (now, key as usize)));
            let take = |line: &mut VecDeque<usize>, changes: bool| {
                let next = line.pop_front();
                (next, slice, if changes { switch } else { 0 })
            };
            if let Some(job) = runs.filter(|_| switch_left == 0) {
                if left[job] == 0 {
                    expected.push((now, job));
                    (runs, slice_left, switch_left) = take(&mut line, true);
                } else if slice_left == 0 {
                    if line.is_empty() {
                        slice_left = slice;
                    } else {
                        line.push_back(job);
                        (runs, slice_left, switch_left) = take(&mut line, true);
                    }
                }
            }
            for (key, _) in arrivals.iter().enumerate().filter(|(_, (at, _))| *at == now) {
                turns.add(now, container, key as u32, arrivals[key].1);
                line.push_back(key);
            }
            if runs.is_none() {
                (runs, slice_left, switch_left) = take(&mut line, false);
            }
            match runs {
                Some(_) if switch_left > 0 => switch_left -= 1,
                Some(job) => {
                    left[job] -= 1;
                    slice_left -= 1;
                }
                None => {}
            }
        }
        assert_eq!(found, expected, "slice {slice}, switch {switch}, {arrivals:?}");
        assert_eq!(expected.len(), 8);
    }
}
