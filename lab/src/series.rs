//! The time series of a finished run.

use serde::{Deserialize, Serialize};

use crate::table::Table;

/// Figures per window. A column is named by its metric's path: `workloads.W.` with `sent`, `goodput`, `failed` (all per
/// second), `latency.p50_s`, `latency.p99_s`; `components.C.` with `arrivals`, `completed`, `failed` (per second),
/// `utilization`, `queue.depth`, `in_flight`, `amplification`, `wasted_work`; `links.FROM.LINK.` with `attempts`,
/// `retries`, `failed` (per second), `amplification`, `in_flight`, `pool.active`, `pool.waiting`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Width of a window, s.
    pub window_s: f64,
    /// Start of each window, s; negative during the warm-up.
    pub at_s: Vec<f64>,
    /// One value per window, by metric.
    pub columns: Table<Vec<Option<f64>>>,
}
