//! What can be said of a cache.

use settings::{Duration, DurationDist, Fraction, Name, Setting, Size, Spanned};

use super::super::kind::{Access, Checks};
use crate::caching::{CapacitySettings, EvictionSettings};
use crate::link::LinkSettings;

/// How long entries are good.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "time")]
pub struct TtlSettings {
    /// Time from write to expiry.
    pub time: Duration,
    /// Largest share by which the TTL is shortened at random, so that entries written together do not expire together:
    /// TTL × uniform(1 − jitter, 1).
    #[setting(default = "0%")]
    pub jitter: Fraction,
    /// Whether each use of an entry begins its time anew (expire after access).
    #[setting(default = false)]
    pub sliding: bool,
}

/// Writes are passed on later.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct BehindSettings {
    /// Time from one flush to the next: all that was written meanwhile is then sent, one call for each key. What fails is sent
    /// again with the next one.
    #[setting(range = "1us..=24h")]
    pub flush: Duration,
}

/// Who reads and writes what is behind.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum ModeSettings {
    /// Cache-aside: callers fetch what they miss and write it back.
    Aside,
    /// Read-through and write-through: the cache itself reads and writes. It keeps what it has fetched even if the reader has given up.
    Through,
    /// Write-behind: writes are answered at once and passed on later; what was not is lost in a crash.
    Behind(BehindSettings),
}

/// Effect of a write on the entries of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum OnWriteSettings {
    /// They are forgotten when it is answered.
    Invalidate,
    /// They take the written value when it is answered; forgotten if nobody knows whether it was carried out.
    Update,
    /// They stay, stale (write-around).
    Keep,
}

/// A miss gets a token without which nothing is written back.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct LeaseSettings {
    /// Time after which an unused token is replaced by one for the next reader that misses. memcached at Facebook: 10 s.
    #[setting(default = "10s")]
    pub every: Duration,
}

/// Entries are read anew before they expire, the sooner the longer reading takes.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct EarlyExpirySettings {
    /// How early: a read at time-to-expiry x reads anew with probability e^(−x ÷ (beta × time it took to read)).
    #[setting(default = 1.0, range = "0..=1000")]
    pub beta: f64,
}

/// A cache in front of another component.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Component called on a miss, and by writes.
    pub to: LinkSettings,
    /// Operations that read; all but `write_ops` if not written. Where calls for several operations arrive, this or `write_ops`
    /// must be.
    pub read_ops: Option<Vec<Spanned<Name>>>,
    /// Operations that write: they go on to `to`. What is in neither list passes through.
    pub write_ops: Option<Vec<Spanned<Name>>>,
    /// Capacity in entries (`10k`), or in bytes (`64MiB`) of entries of `entry_size`. Either this or `hit_ratio`.
    #[setting(live)]
    pub capacity: Option<CapacitySettings>,
    /// Size of an entry with what it takes to keep it, for a `capacity` in bytes and for `bytes`.
    #[setting(range = "1B..=1GiB")]
    pub entry_size: Option<Size>,
    /// Share of the reads that hit, whatever they are about: nothing is kept. Instead of `capacity`.
    #[setting(live)]
    pub hit_ratio: Option<Fraction>,
    /// Of so many keys, those of the smallest numbers, hits and misses are also measured apart (`hit_ratio_hot`), and of all others
    /// (`hit_ratio_cold`). With `zipf` and `hot` they are the most popular ones.
    #[setting(range = "1..=1000000000")]
    pub hot_keys: Option<u32>,
    /// Share of the capacity that is filled at the start and after a restart, with the keys of the smallest numbers, which are the most
    /// popular of `zipf` and `hot`; with `ttl` they are of any age.
    #[setting(default = "0%")]
    pub warm: Fraction,
    /// Time to live of entries. Without it they never expire.
    #[setting(live)]
    pub ttl: Option<TtlSettings>,
    /// Eviction policy. Redis and memcached evict by recency.
    #[setting(default = "lru")]
    pub eviction: EvictionSettings,
    /// Lookup time, for hits and misses, and of writes.
    #[setting(default = "0s", live)]
    pub latency: DurationDist,
    /// Longest look-up: after this long a caller goes on to `to` without the cache, and a read writes nothing back.
    #[setting(live)]
    pub timeout: Option<Duration>,
    /// Whether concurrent misses of the same entry share one call.
    #[setting(default = false)]
    pub coalesce: bool,
    /// Who reads and writes what is behind.
    #[setting(default = "aside")]
    pub mode: ModeSettings,
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// Effect of a write on the entries of its key: `invalidate` if not written, with `mode: behind` always `update`.
    pub on_write: Option<OnWriteSettings>,
    /// Time from an answer of `to` to when the cache has heard of it: what callers of a cache aside take to write back, or to make the
    /// cache forget. What happens meanwhile is a race.
    #[setting(default = "0s", live)]
    pub write_back: DurationDist,
    /// For how long after expiry an entry is served while one call in the background reads it anew (RFC 5861).
    #[setting(live)]
    pub stale_while_revalidate: Option<Duration>,
    /// For how long after expiry an entry is served when what is behind fails (RFC 5861).
    #[setting(live)]
    pub stale_if_error: Option<Duration>,
    /// For how long it is remembered that there is nothing: that `to` has answered `client_error` (as 404).
    #[setting(live)]
    pub negative_ttl: Option<Duration>,
    /// Reads entries anew before they expire, at random (Vattani, Chierichetti and Lowenstein, 2015). The reader that does so waits for it, unless
    /// `stale_while_revalidate` is written.
    pub early_expiry: Option<EarlyExpirySettings>,
    /// A miss gets a token, one at a time for each entry, without which nothing is written back; a write that makes the cache forget voids it (Nishtala
    /// et al., *Scaling Memcache at Facebook*, 2013). Other readers that miss wait for the holder of the token.
    pub lease: Option<LeaseSettings>,
    /// Number of instances. Each has `capacity` entries of its own, and callers take any; a balancer that goes by key makes them shards. They
    /// do not hear of each other's writes.
    #[setting(default = 1, range = "1..=10000")]
    pub instances: u32,
    /// Whether its entries survive a crash.
    #[setting(default = false)]
    pub durable: bool,
}

impl Settings {
    /// What an operation does.
    pub(super) fn access(&self, op: &str) -> Access {
        let is_in = |ops: &Option<Vec<Spanned<Name>>>| ops.as_ref().map(|ops| ops.iter().any(|of| of.as_str() == op));
        match (is_in(&self.read_ops), is_in(&self.write_ops)) {
            (_, Some(true)) => Access::Write,
            (Some(true), _) | (None, _) => Access::Read,
            (Some(false), _) => Access::Pass,
        }
    }

    /// How many entries there is room for.
    pub(super) fn room(&self) -> usize {
        let each = self.entry_size.map_or(1, |size| size.0);
        self.capacity.map_or(0, |capacity| capacity.entries(each) as usize)
    }

    /// Effect of a write on the entries of its key.
    pub(super) fn effect(&self) -> OnWriteSettings {
        match &self.mode {
            ModeSettings::Aside | ModeSettings::Through => self.on_write.unwrap_or(OnWriteSettings::Invalidate),
            ModeSettings::Behind(_) => OnWriteSettings::Update,
        }
    }

    /// How often what was written is passed on, where that is not at once.
    pub(super) fn flush(&self) -> Option<Duration> {
        match &self.mode {
            ModeSettings::Aside | ModeSettings::Through => None,
            ModeSettings::Behind(behind) => Some(behind.flush),
        }
    }

    /// Whether a fetched value is kept even if its reader has given up.
    pub(super) fn reads_itself(&self) -> bool {
        match &self.mode {
            ModeSettings::Aside => false,
            ModeSettings::Through | ModeSettings::Behind(_) => true,
        }
    }

    /// Whether misses of the same entry wait for one of them.
    pub(super) fn shares(&self) -> bool {
        self.coalesce || self.lease.is_some()
    }

    /// Whether it goes on calling for a read that is answered.
    pub(super) fn refreshes(&self) -> bool {
        self.stale_while_revalidate.is_some()
    }

    /// Whether how often it hits follows from rates, room and a TTL from write to expiry alone.
    pub(super) fn is_plain(&self) -> bool {
        let slides = self.ttl.as_ref().is_some_and(|ttl| ttl.sliding);
        let delays = self.write_back.0.mean() > 0.0;
        !(slides || delays || self.refreshes() || self.early_expiry.is_some() || self.negative_ttl.is_some())
    }

    /// What only makes sense together.
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        for op in self.write_ops.iter().flatten() {
            if self.read_ops.iter().flatten().any(|read| read.as_str() == op.as_str()) {
                let message = format!("`{}` cannot both read and write", op.as_str());
                checks.error("contradiction", op.span, "write_ops", &message, Some("remove it from one of the two"));
            }
        }
        match (&self.capacity, &self.hit_ratio) {
            (None, None) => {
                let help = "write `capacity: 10k`, or `hit_ratio: 90%` to draw who hits";
                checks.error("missing", checks.span(), "", "a cache needs `capacity` or `hit_ratio`", Some(help));
            }
            (Some(_), Some(_)) => {
                let message = "with `hit_ratio` nothing is kept: `capacity` has no effect";
                checks.error("contradiction", checks.span(), "hit_ratio", message, Some("remove one of the two"));
            }
            (None, Some(_)) => self.check_drawn(checks),
            (Some(_), None) => self.check_kept(checks),
        }
        self.check_sizes(checks);
    }

    /// How large entries are.
    fn check_sizes(&self, checks: &mut Checks<'_>) {
        match (self.capacity, self.entry_size) {
            (Some(CapacitySettings::Bytes(_)), None) => {
                let message = "a `capacity` in bytes needs the size of an entry";
                checks.error("missing", checks.span(), "capacity", message, Some("write `entry_size: 1KiB`"));
            }
            (Some(CapacitySettings::Bytes(room)), Some(size)) if room.0 < size.0 => {
                let message = "not even one entry fits into `capacity`";
                checks.error("contradiction", checks.span(), "capacity", message, None);
            }
            _ => {}
        }
    }

    /// Nothing is kept.
    fn check_drawn(&self, checks: &mut Checks<'_>) {
        let written = [
            ("entry_size", self.entry_size.is_some()),
            ("hot_keys", self.hot_keys.is_some()),
            ("durable", self.durable),
            ("warm", self.warm.0 > 0.0),
            ("ttl", self.ttl.is_some()),
            ("coalesce", self.coalesce),
            ("mode", self.mode != ModeSettings::Aside),
            ("on_write", self.on_write.is_some()),
            ("write_back", self.write_back.0.mean() > 0.0),
            ("stale_while_revalidate", self.stale_while_revalidate.is_some()),
            ("stale_if_error", self.stale_if_error.is_some()),
            ("negative_ttl", self.negative_ttl.is_some()),
            ("early_expiry", self.early_expiry.is_some()),
            ("lease", self.lease.is_some()),
        ];
        for (key, _) in written.into_iter().filter(|(_, is_written)| *is_written) {
            let message = format!("with `hit_ratio` nothing is kept: `{key}` has no effect");
            checks.error("no_effect", checks.span(), key, &message, Some("remove it, or write `capacity`"));
        }
    }

    /// Something is kept.
    fn check_kept(&self, checks: &mut Checks<'_>) {
        let need_ttl = [
            ("stale_while_revalidate", self.stale_while_revalidate.is_some()),
            ("stale_if_error", self.stale_if_error.is_some()),
            ("early_expiry", self.early_expiry.is_some()),
        ];
        if self.ttl.is_none() {
            for (key, _) in need_ttl.into_iter().filter(|(_, is_written)| *is_written) {
                let message = format!("`{key}` has no effect: without `ttl` nothing expires");
                checks.error("no_effect", checks.span(), key, &message, Some("write `ttl: 60s`"));
            }
        }
        let writes = self.write_ops.as_ref().is_some_and(|ops| !ops.is_empty());
        let need_writes = [("mode", self.flush().is_some()), ("on_write", self.on_write.is_some())];
        if !writes {
            for (key, _) in need_writes.into_iter().filter(|(_, is_written)| *is_written) {
                let message = format!("`{key}` has no effect: no operation writes");
                checks.error(
                    "no_effect",
                    checks.span(),
                    key,
                    &message,
                    Some("name those that do: `write_ops: [order]`"),
                );
            }
        }
        if self.flush().is_some() && self.on_write.is_some_and(|effect| effect != OnWriteSettings::Update) {
            let message = "`mode: behind` has what was written before it is passed on: its entries are updated";
            checks.error("contradiction", checks.span(), "on_write", message, Some("write `on_write: update`"));
        }
        if self.flush().is_some() && self.durable {
            let message =
                "`durable` has no effect on writes that are not passed on: with `mode: behind` a crash loses them";
            checks.error("contradiction", checks.span(), "durable", message, Some("remove it"));
        }
        if self.lease.is_some() && self.coalesce {
            let message =
                "`coalesce` has no effect: with `lease`, misses of the same entry wait for one of them anyway";
            checks.error("no_effect", checks.span(), "coalesce", message, Some("remove it"));
        }
    }
}
