//! Discovery: how late a chooser learns from its registry that a replica has become ready, or is about to leave.
//!
//! Each chooser learns of each for itself, after a time of its own. Of one replica it learns in the order in which things happened.

use std::collections::BTreeMap;

use settings::{DurationDist, Setting};
use sim_core::dist::Dist;
use sim_core::random::Key;
use sim_core::{Cx, News, Time, Timer};

use super::health_check::OrInstant;
use crate::policies::presets::{OrPreset, Preset, Presets};

/// How a chooser learns who is there.
pub type DiscoverySettings = OrInstant<OrPreset<DelaySettings>>;

/// A registry that tells each chooser late.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct DelaySettings {
    /// Time from a planned departure, or from becoming ready, until a chooser knows of it; drawn for each chooser.
    pub delay: DurationDist,
}

impl Presets for DelaySettings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "kubernetes",
            doc: "Kubernetes: from the endpoint's change through the watch of `kube-proxy` and its next sync, which may come at most every second (`minSyncPeriod`): 1 s ± 1 s.",
            settings: "{delay: {uniform: [0s, 2s]}}",
        },
        Preset {
            word: "dns",
            doc: "Envoy's `STRICT_DNS`: names are resolved anew every 5 s (`dns_refresh_rate`).",
            settings: "{delay: {uniform: [0s, 5s]}}",
        },
    ];
}

/// News that has not come through yet: of each target, oldest first, with when it does.
type Coming = BTreeMap<u32, Vec<(Time, News)>>;

/// What one chooser has yet to learn.
#[derive(Clone, Debug)]
pub struct Discovery {
    delay: Dist,
    key: u64,
    timer: u8,
    told: u64,
    coming: Coming,
    is_running: bool,
}

impl Discovery {
    /// That of a chooser with this key. What is to be learned goes off as timers of this sort.
    pub fn new(settings: &DelaySettings, key: u64, timer: u8) -> Discovery {
        let delay = settings.delay.0.clone();
        Discovery { delay, key, timer, told: 0, coming: BTreeMap::new(), is_running: false }
    }

    /// Its process begins: it asks the registry. Returned is all that it had not learned.
    pub fn start(&mut self) -> Vec<(u32, News)> {
        self.is_running = true;
        let latest = |(target, news): (u32, Vec<(Time, News)>)| Some((target, news.last()?.1));
        std::mem::take(&mut self.coming).into_iter().filter_map(latest).collect()
    }

    /// Its process has died; its chores are gone.
    pub fn stop(&mut self) {
        self.is_running = false;
    }

    /// The registry has news of a target, which this chooser will learn.
    pub fn tell(&mut self, cx: &mut Cx<'_>, target: u32, news: News) {
        let mut draw = Key::root(self.key, 2, self.told).draw(0, 0);
        self.told += 1;
        let coming = self.coming.entry(target).or_default();
        let after = coming.last().map_or(0, |(at, _)| *at);
        let at = (cx.now() + self.delay.sample_span(&mut draw)).max(after);
        coming.push((at, news));
        if self.is_running {
            cx.chore_after(at - cx.now(), Timer { what: self.timer, data: u64::from(target) });
        }
    }

    /// The oldest news of a target comes through.
    pub fn due(&mut self, target: u32) -> Option<News> {
        let coming = self.coming.get_mut(&target)?;
        let (_, news) = coming.remove(0);
        if coming.is_empty() {
            self.coming.remove(&target);
        }
        Some(news)
    }
}
