//! Runtimes and cores (S1-12, S3).

use super::{latency, shipped_with};

#[test]
fn explore() {
    for (name, variants) in [
        (
            "runtimes-compared",
            &[
                "threads",
                "thread-per-request",
                "event-loop",
                "node",
                "async",
                "goroutines",
                "virtual-threads",
                "gil-threads",
                "free-threaded",
                "processes",
                "functions",
            ][..],
        ),
        ("event-loop-blocked", &["blocked", "offloaded", "in-pieces", "process-of-its-own"]),
        ("thread-starvation", &["one-pool", "two-pools"]),
        ("gil-convoy", &["interpreter-lock", "free-threaded", "short-interval", "processes"]),
        ("cpu-limit-p99", &["limited", "as-many-threads-as-cores", "no-limit"]),
        ("goroutine-leak", &["leak", "cancellation"]),
        ("noisy-neighbour", &["unequal", "requests", "limit"]),
        ("cold-starts", &["function", "short-memory", "loops"]),
        ("priority-inversion", &["inversion", "inheritance"]),
        (
            "ten-thousand-clients",
            &["go", "asyncio", "node", "threads", "go-at-400", "asyncio-at-400", "node-at-400", "threads-at-400"],
        ),
        ("ten-thousand-jobs", &["asyncio", "multiprocessing", "go", "node-workers"]),
    ] {
        for variant in variants {
            let result = shipped_with(name, Some(variant), &[], Some(1));
            println!("== {name} {variant}");
            for workload in result.workloads.keys() {
                let l = latency(&result, workload);
                let ms = |s: Option<f64>| s.unwrap_or(-1.0) * 1e3;
                println!(
                    "   {workload}: sent {} mean {:.3} p50 {:.3} p99 {:.3} max {:.3} outcomes {:?}",
                    result.workloads[workload].sent,
                    ms(l.mean_s),
                    ms(l.p50_s),
                    ms(l.p99_s),
                    ms(l.max_s),
                    result.workloads[workload].outcomes
                );
            }
            for metric in lab::metrics::names(&result) {
                let last = metric.rsplit('.').next().unwrap_or("");
                let wanted = [
                    "cpu",
                    "throttled",
                    "throttled_time",
                    "tasks",
                    "instances",
                    "instances_max",
                    "cold_starts",
                    "cold_start_share",
                    "runnable",
                    "utilization",
                    "blocked",
                    "switches",
                    "switch_cpu",
                ];
                if metric.starts_with("components.")
                    && (wanted.contains(&last)
                        || metric.contains("event_loop_lag.max")
                        || metric.contains("event_loop_lag.p99"))
                {
                    if let Ok(Some(value)) = lab::metrics::value(&result, &metric) {
                        println!("      {metric} {value:.4}");
                    }
                }
            }
        }
    }
}
