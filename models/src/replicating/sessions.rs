//! What clients have seen, and which promises a read breaks to its client: a structure that knows no engine.
//!
//! A read breaks *read your writes* if it shows its client an older version of the key than its own last write; *monotonic reads* if it
//! shows an older one than a read before; and *causality* if it shows an older one than something that the client has seen
//! came after.

use std::collections::{BTreeMap, VecDeque};

use super::ledger::Number;

/// What a client knows to be there of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its own last write.
    pub(super) written: Number,
    /// The newest version that it has read.
    pub(super) read: Number,
    /// The newest version that something it has seen came after.
    pub(super) caused: Number,
}

/// The promises that a read has broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) read_your_writes: bool,
    pub(super) monotonic: bool,
    pub(super) causal: bool,
}

impl Seen {
    /// Which promises a version breaks to one who had seen this when it asked.
    pub(super) fn broken_by(self, version: Number) -> Broken {
        Broken {
            read_your_writes: version < self.written,
            monotonic: version < self.read,
            causal: version < self.caused,
        }
    }
}

/// What all clients have seen, as far as it can still be missing from some copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    seen: BTreeMap<(u64, u64), Seen>,
    /// In the order in which it was noted.
    noted: VecDeque<(Number, u64, u64)>,
    /// What each client has seen last.
    last: BTreeMap<u64, (u64, Number)>,
}

impl Sessions {
    /// What a client has seen of a key.
    pub(super) fn seen(&self, client: u64, key: u64) -> Seen {
        self.seen.get(&(client, key)).copied().unwrap_or_default()
    }

    /// What a client has seen last, of whatever key.
    pub(super) fn last(&self, client: u64) -> Option<(u64, Number)> {
        self.last.get(&client).copied()
    }

    /// A client has been told that its write was carried out.
    pub(super) fn wrote(&mut self, client: u64, key: u64, number: Number) {
        self.note(client, key, number, |seen| &mut seen.written);
        self.last.insert(client, (key, number));
    }

    /// A client has read a version, which came after these.
    pub(super) fn read(&mut self, client: u64, key: u64, version: Number, causes: &[(u64, Number)]) {
        if version == 0 {
            return;
        }
        self.note(client, key, version, |seen| &mut seen.read);
        self.last.insert(client, (key, version));
        causes.iter().for_each(|(before, number)| self.caused(client, *before, *number));
    }

    /// A client has seen something that came after a version.
    pub(super) fn caused(&mut self, client: u64, key: u64, version: Number) {
        self.note(client, key, version, |seen| &mut seen.caused);
    }

    /// What every copy has cannot be missed: it is forgotten.
    pub(super) fn forget(&mut self, is_everywhere: impl Fn(u64, Number) -> bool) {
        while let Some((number, client, key)) = self.noted.front().copied() {
            if !is_everywhere(key, number) {
                break;
            }
            self.noted.pop_front();
            let newest = self.seen.get(&(client, key)).map_or(0, |seen| seen.written.max(seen.read).max(seen.caused));
            if newest <= number {
                self.seen.remove(&(client, key));
            }
        }
    }

    fn note(&mut self, client: u64, key: u64, number: Number, which: impl Fn(&mut Seen) -> &mut Number) {
        let seen = self.seen.entry((client, key)).or_default();
        let known = which(seen);
        if number > *known {
            *known = number;
            self.noted.push_back((number, client, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_promise_is_broken_by_what_it_forbids_and_nothing_else() {
        let mut sessions = Sessions::default();
        sessions.wrote(1, 10, 5);
        sessions.read(2, 10, 3, &[]);
        // Write 7 of key 20 came after what its client had seen, write 5 of key 10.
        sessions.read(3, 20, 7, &[(10, 5)]);
        let broken = |client: u64, version: Number| {
            let Broken { read_your_writes, monotonic, causal } = sessions.seen(client, 10).broken_by(version);
            [read_your_writes, monotonic, causal]
        };
        assert_eq!(broken(1, 4), [true, false, false]);
        assert_eq!(broken(1, 5), [false; 3]);
        assert_eq!(broken(2, 2), [false, true, false]);
        assert_eq!(broken(2, 3), [false; 3]);
        assert_eq!(broken(3, 4), [false, false, true]);
        assert_eq!(broken(3, 5), [false; 3]);
        assert_eq!(broken(4, 0), [false; 3], "a client that has seen nothing is promised nothing");
        assert_eq!(sessions.last(3), Some((20, 7)));
    }

    #[test]
    fn what_every_copy_has_is_forgotten() {
        let mut sessions = Sessions::default();
        sessions.wrote(1, 10, 5);
        sessions.wrote(1, 10, 8);
        sessions.wrote(2, 11, 9);
        sessions.forget(|_, number| number <= 5);
        assert_eq!(sessions.seen(1, 10).written, 8, "there is something newer");
        sessions.forget(|_, number| number <= 8);
        assert_eq!((sessions.seen(1, 10), sessions.seen(2, 11).written), (Seen::default(), 9));
    }
}
