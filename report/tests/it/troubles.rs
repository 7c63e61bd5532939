//! Verifies the sentences about faults and recovery against the result, for `predicates`.

use report::findings::Finding;

use crate::predicates::{demand, expect, same, stated};
use crate::raw::{NEARLY, Raw};

/// Groups of faults ("troubles"), with start and end: faults with an end that overlap or touch, and single faults otherwise.
fn troubles(raw: &Raw) -> Vec<Trouble> {
    let mut faults = raw.faults();
    faults.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut found: Vec<(Vec<String>, f64, Option<f64>)> = Vec::new();
    for (name, at_s, until_s) in faults {
        let with = found.iter().rposition(|(_, begun_s, ended_s)| match (ended_s, until_s) {
            (Some(ended_s), Some(_)) => at_s <= ended_s + NEARLY,
            (None, None) => (begun_s - at_s).abs() < NEARLY,
            _ => false,
        });
        match with {
            Some(place) => {
                found[place].0.push(name);
                found[place].2 = found[place].2.zip(until_s).map(|(one, other)| one.max(other));
            }
            None => found.push((vec![name], at_s, until_s)),
        }
    }
    found.sort_by(|one, other| one.1.total_cmp(&other.1));
    found
}

/// Goodput before a trouble, and the windows over which it is averaged.
fn before(raw: &Raw, troubles: &[Trouble], which: usize) -> Option<(f64, Vec<usize>)> {
    let mut border = troubles[which].1;
    loop {
        let earlier: Vec<_> = troubles.iter().filter(|(_, at_s, _)| *at_s < border).collect();
        let settled = |(_, at_s, until_s): &(Vec<String>, f64, Option<f64>)| until_s.unwrap_or(*at_s);
        let last = earlier.iter().copied().max_by(|one, other| settled(one).total_cmp(&settled(other)));
        let windows = raw.between(last.map_or(0.0, settled).max(0.0), border);
        if let Some(mean) = raw.mean_of_workloads("goodput", &windows) {
            return Some((mean, windows));
        }
        border = last?.1;
    }
}

/// Goodput over some windows as a share of its level before, or of the level expected if workloads that do not wait for
/// answers send less.
fn share(raw: &Raw, before: (f64, &[usize]), windows: &[usize]) -> Option<f64> {
    let now = raw.mean_of_workloads("goodput", windows)?;
    let sent = |waits: bool, windows: &[usize]| {
        let names: Vec<&str> = raw
            .names("workloads")
            .into_iter()
            .filter(|name| raw.json()["workloads"][name]["waits_for_answers"] == waits)
            .collect();
        let sums = windows.iter().map(|window| {
            names.iter().filter_map(|name| raw.value(&format!("workloads.{name}.sent"), *window)).sum::<f64>()
        });
        sums.sum::<f64>() / windows.len() as f64
    };
    let (given, waiting) = (sent(false, before.1), sent(true, before.1));
    let load = if given + waiting > 0.0 { (sent(false, windows) + waiting) / (given + waiting) } else { 1.0 };
    let expected = before.0 * if load < 0.95 { load } else { 1.0 };
    Some(if expected > 0.0 { now / expected } else { 1.0 })
}

/// The effect of a trouble with an end on goodput.
struct After {
    ended_s: f64,
    watched_s: f64,
    /// Its minimum before the next trouble, and whether that is below the threshold.
    lowest: f64,
    harmed: bool,
    /// Whether ten seconds of whole windows are left before the next trouble.
    could_hold: bool,
    /// When it was back for ten seconds before the next trouble.
    back_s: Option<f64>,
}

fn after(raw: &Raw, troubles: &[Trouble], which: usize) -> Option<After> {
    let (_, at_s, until_s) = &troubles[which];
    let ended_s = until_s.filter(|until_s| *until_s < raw.end_s)?;
    let (mean, windows) = before(raw, troubles, which).filter(|(mean, _)| *mean > 0.0)?;
    let next = troubles[which + 1..].iter().map(|(_, at_s, _)| *at_s).find(|at_s| *at_s > ended_s);
    let watched_s = next.unwrap_or(raw.end_s).min(raw.end_s);
    let wide = ((6400.0 / mean).min(10.0).max(raw.window_s) / raw.window_s).ceil() as usize;
    let bound = 0.95_f64.min(1.0 - 4.0 / (mean * wide as f64 * raw.window_s).sqrt());
    let from = |begin_s: f64, last_s: f64| -> Vec<(f64, f64)> {
        (0..raw.windows())
            .filter(|window| raw.begin_s(*window) >= begin_s - NEARLY)
            .filter(|window| raw.begin_s(*window) + wide as f64 * raw.window_s <= last_s + NEARLY)
            .filter_map(|window| {
                let reach: Vec<usize> = (window..window + wide).filter(|window| *window < raw.windows()).collect();
                Some((raw.begin_s(window), share(raw, (mean, &windows), &reach)?))
            })
            .collect()
    };
    let lowest = from(*at_s, watched_s).iter().map(|(_, share)| *share).fold(f64::INFINITY, f64::min);
    let harmed = lowest < bound;
    let later = from(ended_s, raw.end_s);
    let is_back = |begin_s: f64| {
        let until_s = begin_s + 10.0 - wide as f64 * raw.window_s;
        later.iter().any(|(at_s, _)| *at_s >= until_s - NEARLY)
            && later
                .iter()
                .filter(|(at_s, _)| *at_s >= begin_s - NEARLY && *at_s <= until_s.max(begin_s) + NEARLY)
                .all(|(_, share)| *share >= bound)
    };
    let back_s = later.iter().map(|(at_s, _)| *at_s).find(|at_s| is_back(*at_s));
    let back_s = back_s.filter(|back_s| back_s + 10.0 <= watched_s + NEARLY);
    let first = raw.between(ended_s, watched_s).first().map(|window| raw.begin_s(*window));
    let could_hold = first.is_some_and(|first_s| first_s + 10.0 <= watched_s + NEARLY);
    Some(After { ended_s, watched_s, lowest, harmed, could_hold, back_s })
}

/// The names of faults that touch, the start of the first and the end of the last, s.
type Trouble = (Vec<String>, f64, Option<f64>);

/// The trouble that a sentence is about: the one with the stated end.
fn trouble_of(raw: &Raw, finding: &Finding) -> Result<(Vec<Trouble>, usize), String> {
    let ended_s = stated(finding, "ended")?;
    let troubles = troubles(raw);
    let named = |names: &[String]| names.iter().all(|name| finding.text.contains(name.as_str()));
    let which = troubles
        .iter()
        .position(|(names, _, until_s)| until_s.is_some_and(|until_s| same(until_s, ended_s)) && named(names))
        .ok_or("no faults of these names ended then")?;
    let (mean, _) = before(raw, &troubles, which).ok_or("nothing was before it")?;
    expect("goodput before", mean, stated(finding, "before")?)?;
    Ok((troubles, which))
}

/// Checks the stated losses, depth and duration.
fn harm(raw: &Raw, finding: &Finding, troubles: &[Trouble], which: usize) -> Result<(), String> {
    let (from_s, until_s) = finding.span_s.ok_or("it has no span")?;
    expect("its beginning", troubles[which].1, from_s)?;
    let (mean, windows) = before(raw, troubles, which).ok_or("nothing was before it")?;
    let low = raw
        .between(from_s, until_s)
        .iter()
        .filter(|window| share(raw, (mean, &windows), &[**window]).is_some_and(|share| share < 0.95))
        .count() as f64;
    if low > 0.0 {
        expect("how long it was low", low * raw.window_s, stated(finding, "low")?)?;
    }
    if let Ok(lowest) = stated(finding, "lowest") {
        // Over one window, or over several if a single one has too few requests.
        let wide = (20.0 / (mean * raw.window_s)).ceil().max(1.0) as usize;
        let single = raw
            .between(from_s, until_s.max(from_s + raw.window_s))
            .into_iter()
            .filter_map(|window| share(raw, (mean, &windows), &[window]))
            .fold(f64::INFINITY, f64::min);
        if wide == 1 && single.is_finite() {
            expect("the lowest", single, lowest)?;
        }
    }
    let after = after(raw, troubles, which).ok_or("it has no end")?;
    let total = |metric: &str, windows: &[usize]| {
        windows.iter().filter_map(|window| raw.of_workloads(metric, *window)).sum::<f64>() * raw.window_s
    };
    let good = (total("goodput", &windows) / total("sent", &windows)).min(1.0);
    let watched = raw.between(from_s, after.watched_s);
    let lost = good * total("sent", &watched) - total("goodput", &watched);
    match stated(finding, "lost") {
        Ok(stated) => demand((lost - stated).abs() < 1e-6 * (1.0 + lost.abs()), &format!("{lost} were lost")),
        Err(_) => demand(lost < 0.5 + 1e-6, "none were lost"),
    }
}

pub(crate) fn recovered(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let (troubles, which) = trouble_of(raw, finding)?;
    let after = after(raw, &troubles, which).ok_or("it has no end")?;
    demand(after.harmed, "it did harm")?;
    let back_s = after.back_s.ok_or("it was never back")?;
    match stated(finding, "at") {
        Ok(at_s) => {
            expect("when it was back", back_s, at_s)?;
            expect("how long after", back_s - after.ended_s, stated(finding, "after")?)?;
        }
        Err(_) => demand(back_s <= after.ended_s + raw.window_s, "it was back as soon as that")?,
    }
    if stated(finding, "at").is_ok() {
        last_event(raw, finding, troubles[which].1, back_s)?;
    }
    harm(raw, finding, &troubles, which)
}

/// Checks that the sentence names the last action of operators between two instants, or none if there was none.
fn last_event(raw: &Raw, finding: &Finding, from_s: f64, until_s: f64) -> Result<(), String> {
    let within = raw.events().into_iter().filter(|(_, at_s, _)| (from_s..=until_s).contains(at_s));
    match within.reduce(|one, other| if other.1 >= one.1 { other } else { one }) {
        Some((_, at_s, _)) => {
            let named = raw
                .events()
                .into_iter()
                .any(|(name, other_s, _)| other_s == at_s && finding.text.contains(&format!("{name} (event)")));
            demand(named, "the last event is named")?;
            let ago = stated(finding, "after_event").unwrap_or(0.0);
            expect("how long ago it was", until_s - at_s, ago)
        }
        None => demand(!finding.text.contains("(event)"), "operators did something"),
    }
}

/// Checks that goodput was low under an endless trouble before the first event, recovered after the last one, and stayed
/// recovered.
pub(crate) fn remedied(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let (from_s, back_s) = (finding.span_s.ok_or("it has no span")?.0, stated(finding, "at")?);
    let troubles = troubles(raw);
    let is_meant = |(names, at_s, ended_s): &Trouble| {
        same(*at_s, from_s)
            && names.iter().all(|name| finding.text.contains(name.as_str()))
            && ended_s.is_none_or(|ended_s| ended_s >= raw.end_s - NEARLY)
    };
    let which = troubles.iter().position(is_meant).ok_or("no trouble without end began then")?;
    let (mean, windows) = before(raw, &troubles, which).ok_or("nothing was before it")?;
    expect("goodput before", mean, stated(finding, "before")?)?;
    let first_s =
        raw.events().into_iter().map(|(_, at_s, _)| at_s).filter(|at_s| *at_s >= from_s).fold(back_s, f64::min);
    let low = |windows_of: Vec<usize>| {
        windows_of.into_iter().any(|window| share(raw, (mean, &windows), &[window]).is_some_and(|share| share < 0.95))
    };
    demand(low(raw.between(from_s, first_s)), "it did harm before anything was done")?;
    let next_s = troubles.iter().map(|(_, at_s, _)| *at_s).find(|at_s| *at_s > from_s + NEARLY);
    let watched_s = next_s.unwrap_or(raw.end_s).min(raw.end_s);
    demand(back_s + 10.0 <= watched_s + NEARLY, "it held for ten seconds")?;
    let now = share(raw, (mean, &windows), &raw.between(back_s, watched_s)).ok_or("nothing came after")?;
    demand(now >= 0.5, &format!("goodput is {now} of before afterwards"))?;
    last_event(raw, finding, from_s, back_s)
}

/// Checks that every trouble named did harm and is over.
pub(crate) fn recovered_too(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let troubles = troubles(raw);
    let named = |which: &usize| troubles[*which].0.iter().all(|name| finding.text.contains(name.as_str()));
    let over = |which: usize| after(raw, &troubles, which).is_some_and(|after| after.harmed && after.back_s.is_some());
    demand((0..troubles.len()).filter(named).any(over), "it did harm and was over")
}

pub(crate) fn not_recovered(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let (troubles, which) = trouble_of(raw, finding)?;
    let after = after(raw, &troubles, which).ok_or("it has no end")?;
    demand(after.back_s.is_none(), &format!("it was back at {:?}", after.back_s))?;
    demand(after.harmed && after.could_hold, "it did harm, and there was time to recover")?;
    expect("how long it was watched", after.watched_s - after.ended_s, stated(finding, "watched")?)?;
    expect("the share", stated(finding, "tail")? / stated(finding, "before")?, stated(finding, "share")?)?;
    harm(raw, finding, &troubles, which)
}

pub(crate) fn cut_off(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let (troubles, which) = trouble_of(raw, finding)?;
    let after = after(raw, &troubles, which).ok_or("it has no end")?;
    demand(after.harmed && !after.could_hold, "it did harm, and too little time was left")?;
    harm(raw, finding, &troubles, which)
}

pub(crate) fn still_acting(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let (from_s, until_s) = finding.span_s.ok_or("it has no span")?;
    let acts = raw.faults().into_iter().any(|(name, at_s, ended_s)| {
        finding.text.contains(name.as_str())
            && at_s <= from_s + NEARLY
            && ended_s.is_none_or(|s| s >= raw.end_s - NEARLY)
    });
    demand(acts, "it acts to the end")?;
    let troubles = troubles(raw);
    // Several faults can have the same name.
    let is_meant = |(names, at_s, ended_s): &(Vec<String>, f64, Option<f64>)| {
        names.iter().all(|name| finding.text.contains(name.as_str()))
            && *at_s <= from_s + NEARLY
            && ended_s.is_none_or(|s| s >= raw.end_s - NEARLY)
    };
    let shares = (0..troubles.len()).filter(|which| is_meant(&troubles[*which])).filter_map(|which| {
        let (mean, windows) = before(raw, &troubles, which)?;
        same(mean, stated(finding, "before").ok()?).then_some(())?;
        share(raw, (mean, &windows), &raw.between(from_s, until_s))
    });
    let stated = stated(finding, "share")?;
    demand(shares.collect::<Vec<_>>().into_iter().any(|now| same(now, stated)), "the share is that of one of them")
}

/// Checks the lowest goodput of all troubles that did no harm, and that each is named.
pub(crate) fn unharmed(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let troubles = troubles(raw);
    let mut lowest = f64::INFINITY;
    for which in 0..troubles.len() {
        let Some(after) = after(raw, &troubles, which).filter(|after| !after.harmed) else { continue };
        // If a time is shorter than the range of a mean, nothing is known about it.
        if after.lowest.is_finite() {
            let named = troubles[which].0.iter().all(|name| finding.text.contains(name.as_str()));
            demand(named, &format!("{:?} did no harm", troubles[which].0))?;
            lowest = lowest.min(after.lowest);
        }
    }
    match stated(finding, "lowest") {
        Ok(stated) => expect("the lowest", lowest, stated),
        Err(_) => demand(lowest >= 1.0, &format!("it was never lower, but {lowest}")),
    }
}

/// Troubles from which goodput did not recover and that no sentence reports.
pub(crate) fn untold_loss(raw: &Raw, found: &[Finding]) -> Vec<String> {
    let troubles = troubles(raw);
    let lost = (0..troubles.len()).filter(|which| {
        let Some(after) = after(raw, &troubles, *which) else { return false };
        after.harmed && after.back_s.is_none() && after.could_hold
    });
    let told = |names: &[String]| {
        found.iter().any(|finding| {
            finding.rule == "not_recovered" && names.iter().all(|name| finding.text.contains(name.as_str()))
        })
    };
    lost.filter(|which| !told(&troubles[*which].0))
        .map(|which| format!("goodput did not come back after {:?}, and nothing says so", troubles[which].0))
        .collect()
}
