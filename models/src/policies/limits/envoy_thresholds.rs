//! Envoy's thresholds, which it calls circuit breakers: caps on connections, on requests that wait for one, and on requests.
//!
//! A request takes a connection that has room. Where all have as much as they carry and no more may be opened, it is *pending*; one
//! that would be pending beyond `pending`, or under way beyond `requests`, is refused. (Envoy, `newStreamImpl` and
//! `attachStreamToClient` in `source/common/conn_pool/conn_pool_base.cc`, and `ResourceManagerImpl` at 01c2c1fa.) Nothing here opens and
//! closes as a breaker does; what acts like one in Envoy is outlier ejection.

use settings::Setting;

/// Envoy's caps on connections, pending requests and requests. Defaults are Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub struct EnvoyThresholdsSettings {
    /// Connections: `max_connections`.
    #[setting(default = 1024, range = "1..=10000000")]
    pub connections: u32,
    /// Requests that wait for a connection: `max_pending_requests`. They wait as long as their callers do.
    #[setting(default = 1024, range = "0..=10000000")]
    pub pending: u32,
    /// Requests under way: `max_requests`.
    #[setting(default = 1024, range = "1..=10000000")]
    pub requests: u32,
    /// Requests that share a connection: 1 for HTTP/1.1, many for HTTP/2.
    #[setting(default = 1, range = "1..=10000000")]
    pub streams: u32,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Passes,
    /// It waits for a connection.
    Pends,
    /// It is refused.
    Overflows,
}

impl EnvoyThresholdsSettings {
    /// What all connections carry.
    fn carried(&self) -> u64 {
        u64::from(self.connections) * u64::from(self.streams)
    }

    /// Requests that can be under way.
    pub fn most(&self) -> u32 {
        self.requests.min(u32::try_from(self.carried()).unwrap_or(u32::MAX))
    }

    /// What becomes of a request, where so many are under way and so many are pending.
    pub fn fate(&self, under_way: u64, pending: u64) -> Fate {
        if under_way < self.carried() {
            // There is a connection for it, or one can be opened.
            return if under_way < u64::from(self.requests) { Fate::Passes } else { Fate::Overflows };
        }
        if pending < u64::from(self.pending) { Fate::Pends } else { Fate::Overflows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_pass_pend_and_overflow_as_in_envoy() {
        use Fate::{Overflows, Passes, Pends};
        // (settings, under way, pending; what becomes of it)
        for (text, under_way, pending, expected) in [
            ("{}", 0, 0, Passes),
            ("{}", 1023, 0, Passes),
            ("{}", 1024, 0, Pends),
            ("{}", 1024, 1023, Pends),
            ("{}", 1024, 1024, Overflows),
            // HTTP/1.1 with fewer connections than requests: the connections bound it.
            ("{connections: 2, pending: 1}", 1, 0, Passes),
            ("{connections: 2, pending: 1}", 2, 0, Pends),
            ("{connections: 2, pending: 1}", 2, 1, Overflows),
            ("{connections: 2, pending: 0}", 2, 0, Overflows),
            // Many share a connection: the requests bound it, and nobody is pending.
            ("{connections: 1, streams: 100, requests: 10}", 9, 0, Passes),
            ("{connections: 1, streams: 100, requests: 10}", 10, 0, Overflows),
            ("{connections: 1, streams: 100, requests: 100, pending: 5}", 100, 4, Pends),
        ] {
            let settings: EnvoyThresholdsSettings = settings::notation::read(text).expect(text);
            assert_eq!(settings.fate(under_way, pending), expected, "{text}: {under_way}, {pending}");
        }
        let most = |text: &str| settings::notation::read::<EnvoyThresholdsSettings>(text).expect(text).most();
        assert_eq!([most("{}"), most("{connections: 7}"), most("{streams: 100, requests: 50}")], [1024, 7, 50]);
    }
}
