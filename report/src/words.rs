//! Paths of metrics and settings in words, for titles and sentences: `workloads.users.latency.p99` is the "p99 latency of
//! users". The path itself is shown as well wherever readers may need to copy it.

/// A metric in words.
#[must_use]
pub fn metric(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["workloads", name, rest @ ..] if !rest.is_empty() => format!("{} of {name}", measured(rest)),
        ["components", name, rest @ ..] if !rest.is_empty() => format!("{} of {name}", measured(rest)),
        ["links", from, link, rest @ ..] if !rest.is_empty() => match rest {
            ["amplification"] => format!("attempts per call of {from}.{link}"),
            rest => format!("{} of {from}.{link}", measured(rest)),
        },
        ["objectives", name @ ..] => format!("probability of {}", name.join(".")),
        _ => plain(path),
    }
}

fn measured(rest: &[&str]) -> String {
    match rest {
        ["latency", which] => format!("{which} latency"),
        ["latency_all", which] => format!("{which} latency of all requests"),
        ["latency_failed", which] => format!("{which} latency of failed requests"),
        ["queue", "depth"] => "mean queue length".to_owned(),
        ["queue", "depth_max"] => "longest queue".to_owned(),
        ["queue", "depth_end"] => "queue length at the end".to_owned(),
        ["queue", "wait", which] => format!("{which} wait in the queue"),
        ["pool", "wait", which] => format!("{which} wait for a connection"),
        ["pool", which] => format!("{} connections", plain(which)),
        ["outcomes", outcome] => format!("requests that ended as {}", plain(outcome)),
        ["breakdown", "sampled"] => "sampled requests".to_owned(),
        ["breakdown", which] => format!("mean latency around {which}"),
        ["utilization"] => "utilisation".to_owned(),
        ["cpu"] => "share of cores in use".to_owned(),
        ["amplification"] => "retry amplification".to_owned(),
        ["in_flight"] => "requests in flight".to_owned(),
        ["attempts_per_request"] => "attempts per request".to_owned(),
        rest => plain(&rest.join(" ")),
    }
}

/// A setting in words.
#[must_use]
pub fn setting(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["workloads", name, "arrivals", process] => format!("{} arrivals of {name}", plain(process)),
        ["workloads" | "components", name, rest @ ..] if !rest.is_empty() => {
            // Names of sections and indices in lists add little.
            let says = |part: &&str| {
                !["links", "calls", "handlers", "default"].contains(part) && !part.bytes().all(|b| b.is_ascii_digit())
            };
            let rest: Vec<&str> = rest.iter().copied().filter(says).collect();
            format!("{} of {name}", plain(&rest.join(" ")))
        }
        ["policies", name, rest @ ..] if !rest.is_empty() => format!("{} of policy {name}", plain(&rest.join(" "))),
        _ => plain(&parts.join(" ")),
    }
}

fn plain(name: &str) -> String {
    name.replace('_', " ")
}

/// Capitalises the first word for titles and sentences; leaves `p99` as it is.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    if text.starts_with('p') && letters.clone().nth(1).is_some_and(|second| second.is_ascii_digit()) {
        return text.to_owned();
    }
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_what_they_measure() {
        for (path, words) in [
            ("goodput", "goodput"),
            ("workloads.users.latency.p99", "p99 latency of users"),
            ("workloads.users.latency_all.p99", "p99 latency of all requests of users"),
            ("workloads.users.outcomes.timeout", "requests that ended as timeout of users"),
            ("components.db.queue.wait.p99", "p99 wait in the queue of db"),
            ("components.db.amplification", "retry amplification of db"),
            ("links.api.db.amplification", "attempts per call of api.db"),
            ("links.api.db.pool.wait.p99", "p99 wait for a connection of api.db"),
            ("components.cache.hit_ratio", "hit ratio of cache"),
            ("objectives.recovers", "probability of recovers"),
        ] {
            assert_eq!(metric(path), words);
        }
        for (path, words) in [
            ("workloads.clients.arrivals.poisson", "poisson arrivals of clients"),
            ("components.api.calls.db.pool.size", "db pool size of api"),
            ("components.parent.handlers.default.0.split.per_task", "split per task of parent"),
            ("policies.careful.retry.max", "retry max of policy careful"),
            ("run.duration", "run duration"),
        ] {
            assert_eq!(setting(path), words);
        }
        assert_eq!((capital("p99 latency"), capital("goodput")), ("p99 latency".to_owned(), "Goodput".to_owned()));
        assert_eq!(capital(""), "");
    }
}
