//! The steps of a layered drawing that only concern order: breaking cycles, layers, crossings, fitting in order.

/// The edges to reverse so that no cycle is left: those that lead back to a box on the current path of a depth-first search
/// in the order of the boxes. An edge from a box to itself is left alone.
pub fn edges_to_turn(count: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut turned = vec![false; edges.len()];
    let mut marks = vec![Mark::New; count];
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut called = vec![false; count];
    for (edge, &(from, to)) in edges.iter().enumerate() {
        leaving[from].push(edge);
        called[to] |= from != to;
    }
    let roots = (0..count).filter(|&index| !called[index]).chain(0..count);
    for root in roots.collect::<Vec<_>>() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        let mut way = vec![(root, 0)];
        while let Some((here, next)) = way.last_mut() {
            let Some(&edge) = leaving[*here].get(*next) else {
                marks[*here] = Mark::Done;
                way.pop();
                continue;
            };
            *next += 1;
            let to = edges[edge].1;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::Open;
                    way.push((to, 0));
                }
                Mark::Open if to != edges[edge].0 => turned[edge] = true,
                _ => {}
            }
        }
    }
    turned
}

/// The layer of each box: one more than that of its furthest caller. A box without callers goes directly left of its first
/// callee. The edges must not contain cycles, except from a box to itself.
pub fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let edges: Vec<(usize, usize)> = edges.iter().copied().filter(|(from, to)| from != to).collect();
    let mut layer = vec![0usize; count];
    // As many rounds as the longest path can have boxes.
    for _ in 0..count {
        let mut changed = false;
        for &(from, to) in &edges {
            if layer[to] <= layer[from] {
                layer[to] = layer[from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for index in 0..count {
        if edges.iter().all(|edge| edge.1 != index) {
            let nearest = edges.iter().filter(|edge| edge.0 == index).map(|edge| layer[edge.1]).min();
            layer[index] = nearest.map_or(layer[index], |nearest: usize| nearest.saturating_sub(1));
        }
    }
    // Moving boxes without callers can leave the first layers empty.
    let mut used: Vec<usize> = layer.clone();
    used.sort_unstable();
    used.dedup();
    layer.iter().map(|old| used.partition_point(|other| other < old)).collect()
}

/// Number of crossings of lines between two layers, given the positions of their ends.
pub fn crossings(mut ends: Vec<(usize, usize)>) -> usize {
    ends.sort_unstable();
    let size = ends.iter().map(|end| end.1 + 1).max().unwrap_or(0);
    // A binary indexed tree that counts, for each position, the lines starting further up that end at or below it.
    let mut tree = vec![0usize; size + 1];
    let mut found = 0;
    for (seen, &(_, to)) in ends.iter().enumerate() {
        let mut not_below = 0;
        let mut place = to + 1;
        while place > 0 {
            not_below += tree[place];
            place &= place - 1;
        }
        found += seen - not_below;
        let mut place = to + 1;
        while place <= size {
            tree[place] += 1;
            place += place & place.wrapping_neg();
        }
    }
    found
}

/// Orders the items of every layer to reduce crossings: items move to the mean position of their neighbours, from left to
/// right and back, and the best order found is kept. Items are numbered from 0.
pub fn fewer_crossings(layers: &mut [Vec<usize>], pairs: &[Vec<(usize, usize)>]) {
    let count = layers.iter().flatten().max().map_or(0, |&last| last + 1);
    let places_of = |order: &[Vec<usize>]| {
        let mut places = vec![0usize; count];
        for layer in order {
            layer.iter().enumerate().for_each(|(place, &item)| places[item] = place);
        }
        places
    };
    let total = |places: &[usize]| -> usize {
        pairs.iter().map(|pairs| crossings(pairs.iter().map(|&(from, to)| (places[from], places[to])).collect())).sum()
    };
    let mut order = layers.to_vec();
    let mut places = places_of(&order);
    let mut best = total(&places);
    for sweep in 0..8 {
        if best == 0 {
            break;
        }
        let last = order.len();
        for step in 1..last {
            let (layer, fixed) = if sweep % 2 == 0 { (step, step - 1) } else { (last - 1 - step, last - step) };
            let mut means: Vec<(f64, f64)> = vec![(0.0, 0.0); count];
            for &(from, to) in &pairs[layer.min(fixed)] {
                let (here, there) = if fixed < layer { (to, from) } else { (from, to) };
                means[here].0 += places[there] as f64;
                means[here].1 += 1.0;
            }
            let mean = |item: usize| match means[item] {
                (sum, number) if number > 0.0 => sum / number,
                _ => places[item] as f64,
            };
            let mut keyed: Vec<(f64, usize)> = order[layer].iter().map(|&item| (mean(item), item)).collect();
            keyed.sort_by(|one, two| one.0.total_cmp(&two.0));
            order[layer] = keyed.into_iter().map(|(_, item)| item).collect();
            order[layer].iter().enumerate().for_each(|(place, &item)| places[item] = place);
        }
        let found = total(&places);
        if found < best {
            best = found;
            layers.clone_from_slice(&order);
        }
    }
}

/// The non-decreasing values closest to the wishes (by weighted least squares): the pool-adjacent-violators algorithm.
pub fn isotonic(wishes: &[(f64, f64)]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(wishes.len());
    for &(value, weight) in wishes {
        pools.push((value, weight, 1));
        while let [.., before, last] = pools[..]
            && before.0 > last.0
        {
            let weight = before.1 + last.1;
            pools.truncate(pools.len() - 2);
            pools.push(((before.0 * before.1 + last.0 * last.1) / weight, weight, before.2 + last.2));
        }
    }
    pools.into_iter().flat_map(|(value, _, count)| std::iter::repeat_n(value, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_edges_opens_every_cycle_and_no_more_in_a_graph_without() {
        assert_eq!(edges_to_turn(3, &[(0, 1), (1, 2), (2, 0)]), [false, false, true]);
        assert_eq!(edges_to_turn(3, &[(0, 1), (1, 2), (0, 2), (1, 1)]), [false; 4]);
        assert_eq!(edges_to_turn(3, &[(1, 0), (2, 1), (0, 1)]), [false, false, true], "the one nobody calls begins");
    }

    #[test]
    fn a_caller_stands_left_of_all_it_calls() {
        assert_eq!(layers(4, &[(0, 1), (1, 2), (0, 2), (3, 2)]), [0, 1, 2, 1]);
        assert_eq!(layers(2, &[]), [0, 0]);
        assert_eq!(layers(2, &[(0, 0), (0, 1)]), [0, 1]);
    }

    #[test]
    fn crossings_that_can_be_avoided_are() {
        let mut order = vec![vec![0, 1], vec![2, 3]];
        fewer_crossings(&mut order, &[vec![(0, 3), (1, 2)]]);
        assert!(order == [[0, 1], [3, 2]] || order == [[1, 0], [2, 3]], "{order:?}");
    }

    #[test]
    fn crossings_are_counted_as_by_looking_at_every_pair() {
        let mut random = 1u64;
        for count in 0..40 {
            let mut next = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 60) as usize
            };
            let ends: Vec<(usize, usize)> = (0..count).map(|_| (next(), next())).collect();
            let crosses = |one: &(usize, usize), two: &(usize, usize)| one.0 < two.0 && one.1 > two.1;
            let slow: usize = ends.iter().map(|one| ends.iter().filter(|two| crosses(one, two)).count()).sum();
            assert_eq!(crossings(ends), slow);
        }
    }

    #[test]
    fn fitting_in_order_is_the_least_squares_solution() {
        assert_eq!(isotonic(&[(1.0, 1.0), (3.0, 1.0), (2.0, 1.0), (5.0, 1.0)]), [1.0, 2.5, 2.5, 5.0]);
        assert_eq!(isotonic(&[(4.0, 1.0), (1.0, 3.0)]), [1.75, 1.75]);
        assert!(isotonic(&[]).is_empty());
    }
}
