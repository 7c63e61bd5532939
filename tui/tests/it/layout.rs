//! Layouts of random graphs: nothing overlaps, everything is inside, and every line leads from its caller to its callee.

use proptest::prelude::*;
use tui::layout::{Placement, Plan, Spacing, place};
use tui::wires;

fn plan(boxes: usize, edges: usize) -> impl Strategy<Value = Plan> {
    (1..=boxes).prop_flat_map(move |count| {
        let sizes = proptest::collection::vec((1..30i32, prop_oneof![Just(1), Just(3), Just(5), Just(7)]), count);
        let pairs = proptest::collection::btree_set((0..count, 0..count), 0..=edges);
        (sizes, pairs).prop_map(|(sizes, pairs)| Plan { sizes, edges: pairs.into_iter().collect() })
    })
}

fn spacing() -> impl Strategy<Value = Spacing> {
    (0..3i32, 1..9i32, 1..3i32, 1..80i32).prop_map(|(rows, tail, pitch, height_max)| Spacing {
        rows,
        tail,
        pitch,
        height_max,
    })
}

fn check(plan: &Plan, placed: &Placement) -> Result<(), TestCaseError> {
    prop_assert_eq!(placed.boxes.len(), plan.sizes.len());
    for (index, one) in placed.boxes.iter().enumerate() {
        prop_assert!(one.width >= plan.sizes[index].0 && one.height == plan.sizes[index].1);
        prop_assert!(one.x >= 0 && one.x + one.width <= placed.width, "{:?} is outside", one);
        prop_assert!(one.y >= 0 && one.y + one.height <= placed.height, "{:?} is outside", one);
        for other in &placed.boxes[..index] {
            let apart = one.x + one.width <= other.x
                || other.x + other.width <= one.x
                || one.y + one.height <= other.y
                || other.y + other.height <= one.y;
            prop_assert!(apart, "{:?} lies on {:?}", one, other);
        }
    }
    for (edge, &(from, to)) in plan.edges.iter().enumerate() {
        let Some(route) = &placed.routes[edge] else {
            prop_assert_eq!(from, to, "only a call to oneself has no line");
            continue;
        };
        for pair in route.points.windows(2) {
            prop_assert!(pair[0].0 == pair[1].0 || pair[0].1 == pair[1].1, "{:?} is not at right angles", route.points);
        }
        let cells = wires::cells(route);
        for &(x, y) in &cells {
            prop_assert!((0..placed.width).contains(&x) && (0..placed.height).contains(&y), "({x}, {y}) is outside");
            prop_assert!(
                !placed.boxes.iter().any(|place| place.contains(x, y)),
                "a line runs through a box at ({x}, {y})"
            );
        }
        let beside = |index: usize, &(x, y): &(i32, i32)| {
            placed.boxes[index].contains(x - 1, y) || placed.boxes[index].contains(x + 1, y)
        };
        prop_assert!(
            cells.first().is_some_and(|cell| beside(from, cell)),
            "the line of {from} → {to} starts elsewhere"
        );
        prop_assert!(cells.last().is_some_and(|cell| beside(to, cell)), "the line of {from} → {to} ends elsewhere");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_overlaps_and_every_line_arrives((plan, spacing) in (plan(14, 24), spacing())) {
        check(&plan, &place(&plan, spacing))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn large_graphs_too((plan, spacing) in (plan(70, 140), spacing())) {
        check(&plan, &place(&plan, spacing))?;
    }
}

#[test]
fn a_chain_is_one_straight_line() {
    let plan = Plan { sizes: vec![(10, 5), (10, 7), (10, 3)], edges: vec![(0, 1), (1, 2)] };
    let placed = place(&plan, Spacing { rows: 1, tail: 4, pitch: 1, height_max: 40 });
    for route in placed.routes.iter().flatten() {
        assert_eq!(route.points.len(), 2, "{:?} bends", route.points);
    }
    let columns: Vec<i32> = placed.boxes.iter().map(|place| place.x).collect();
    assert!(columns.is_sorted(), "callers stand left of callees: {columns:?}");
}

#[test]
fn a_call_back_ends_at_the_right_side_of_its_callee() {
    let plan = Plan { sizes: vec![(8, 5), (8, 5)], edges: vec![(0, 1), (1, 0)] };
    let placed = place(&plan, Spacing { rows: 1, tail: 4, pitch: 1, height_max: 40 });
    let back = placed.routes[1].as_ref().unwrap();
    let (first, last) = (back.points[0], *back.points.last().unwrap());
    assert_eq!((first.0, last.0), (placed.boxes[1].x - 1, placed.boxes[0].x + placed.boxes[0].width));
}

#[test]
fn a_layer_that_is_too_high_goes_on_in_the_next_column() {
    let plan = Plan { sizes: vec![(8, 3); 21], edges: (1..21).map(|to| (0, to)).collect() };
    let placed = place(&plan, Spacing { rows: 1, tail: 2, pitch: 1, height_max: 24 });
    assert!(placed.height <= 24, "{}", placed.height);
    assert_eq!(placed.layers, 5, "twenty boxes of four rows in columns of twenty-four rows");
}
