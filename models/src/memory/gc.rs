//! The settings of garbage collectors, and presets of well-known ones.

use settings::{Bandwidth, DurationDist, Fraction, Setting, Size};

use super::collector::Terms;
use crate::policies::flaw::Flaw;
use crate::policies::presets::{Preset, Presets};

/// Share of the heap that is its young generation, unless `young` says otherwise: the least that G1 makes it.
const YOUNG: f64 = 0.05;

/// Share of a container's memory that is heap, unless `heap` says otherwise: the JVM's.
const HEAP: f64 = 0.25;

/// Garbage collection.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct GcSettings {
    /// Size of the heap. When it is full the whole heap is collected while the process stands still, and when what is alive needs
    /// all of it the process dies. Default: a quarter of `memory.limit`, as in the JVM; not required with `gogc`.
    pub heap: Option<Size>,
    /// Size of the young generation. When it is full the process stands still while survivors are copied. Default: 5 % of the heap.
    /// None with `gogc`.
    pub young: Option<Size>,
    /// Growth of the heap after which a concurrent cycle starts, in percent of what was alive after the last one, as in Go. There
    /// are no generations then.
    #[setting(range = "1..=1000000")]
    pub gogc: Option<u32>,
    /// Share of the heap in use by the old generation from which concurrent cycles start, without `gogc`. Default: G1's
    /// (`InitiatingHeapOccupancyPercent`).
    #[setting(default = "45%")]
    pub start_at: Fraction,
    /// Pause of a collection beside copying.
    #[setting(default = "1ms")]
    pub pause: DurationDist,
    /// Rate at which survivors are copied, or marked.
    #[setting(default = "1GB/s")]
    pub copy: Bandwidth,
    /// Share of the cores that mark during a concurrent cycle; at least one core. With 0 there are no concurrent cycles.
    #[setting(default = "25%")]
    pub concurrent_cpu: Fraction,
    /// Whether tasks that allocate during a concurrent cycle mark as many bytes as they allocate, on their own CPU time (Go's
    /// assists).
    #[setting(default = false)]
    pub assists: bool,
}

impl Presets for GcSettings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "g1",
            doc: "The JVM's G1: a young generation, and concurrent cycles from 45 % of the heap. How much a core copies per second and the \
                  fixed part of a pause are ours.",
            settings: "{pause: 2ms, start_at: 45%, concurrent_cpu: 25%}",
        },
        Preset {
            word: "go",
            doc: "Go: no generations, cycles that begin when the heap has doubled (`GOGC=100`), mark on 25 % of the CPU and are \
                  assisted by those who allocate, and pauses of about 100 µs.",
            settings: "{gogc: 100, pause: 100us, concurrent_cpu: 25%, assists: true}",
        },
        Preset {
            word: "v8",
            doc: "V8, as in Node.js: a young generation of 16 MiB, and a heap of 2 GiB.",
            settings: "{heap: 2GiB, young: 16MiB, pause: 1ms, start_at: 45%, concurrent_cpu: 25%}",
        },
    ];
}

impl GcSettings {
    /// The size of the heap, for a process that may use so much memory.
    pub fn heap(&self, limit: Option<u64>) -> Option<u64> {
        let of_limit = limit.filter(|_| self.gogc.is_none()).map(|limit| (limit as f64 * HEAP) as u64);
        self.heap.map(|size| size.0).or(of_limit)
    }

    /// What a collector goes by.
    pub fn terms(&self, limit: Option<u64>, base: u64) -> Terms {
        let heap = self.heap(limit);
        let young = self.young.map(|young| young.0).or(heap.map(|heap| (heap as f64 * YOUNG) as u64));
        Terms {
            heap,
            young: young.filter(|_| self.gogc.is_none()).map(|young| young.max(1)),
            growth: self.gogc.map(|percent| f64::from(percent) / 100.0),
            start_at: self.start_at.0,
            bytes_per_second: (self.copy.0 / 8).max(1),
            is_concurrent: self.concurrent_cpu.0 > 0.0,
            base,
        }
    }

    /// What is wrong with them, for a process that may use so much memory.
    pub fn flaw(&self, limit: Option<u64>, base: u64) -> Option<Flaw> {
        let flaw = |code, key: &str, message: String, help: &str| {
            Some(Flaw { code, key: key.into(), message, help: help.into() })
        };
        let heap = self.heap(limit);
        if heap.is_none() && self.gogc.is_none() {
            let message = "the size of the heap is missing".to_string();
            return flaw(
                "missing_key",
                "heap",
                message,
                "write `heap: 256MB`, or a `memory.limit`, of which it is a quarter",
            );
        }
        if self.gogc.is_some() && self.young.is_some() {
            let message = "`young` has no effect with `gogc`: there are no generations".to_string();
            return flaw("no_effect", "young", message, "remove one of the two");
        }
        if self.copy.0 == 0 {
            return flaw("out_of_range", "copy", "nothing is ever copied at this rate".into(), "write `copy: 1GB/s`");
        }
        if let Some(heap) = heap
            && base >= heap
        {
            let message = format!("`memory.base` ({}) fills the heap ({})", Size(base).write(), Size(heap).write());
            return flaw("out_of_range", "heap", message, "raise `heap`");
        }
        let young = self.terms(limit, base).young;
        if let (Some(young), Some(heap)) = (young, heap)
            && young + base > heap
        {
            let message = "the young generation and `memory.base` do not fit into the heap".to_string();
            return flaw("out_of_range", "young", message, "raise `heap`, or lower `young`");
        }
        None
    }
}
