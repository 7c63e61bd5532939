//! What replicas run on: a group of hosts, and how they are placed there.

use settings::{Name, Setting, Spanned};

/// How replicas are placed on hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Placement {
    /// One host after the other.
    Spread,
    /// A host is filled before the next is begun.
    Pack,
}

impl Placement {
    /// The host, counted from 0, that replica number `replica` of so many runs on.
    pub fn host_of(self, replica: u32, replicas: u32, hosts: u32) -> u32 {
        match self {
            Placement::Spread => replica % hosts,
            // Filled evenly, in order: the first hosts take ⌈replicas ÷ hosts⌉ each.
            Placement::Pack => (replica / replicas.div_ceil(hosts)).min(hosts - 1),
        }
    }
}

/// Where replicas run.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "on")]
pub struct HostsSettings {
    /// The host group.
    pub on: Spanned<Name>,
    /// Placement of replicas on hosts.
    #[setting(default = "spread")]
    pub placement: Placement,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_placed_one_by_one_or_host_by_host() {
        let on =
            |placement: Placement| -> Vec<u32> { (0..7).map(|replica| placement.host_of(replica, 7, 3)).collect() };
        assert_eq!(on(Placement::Spread), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(on(Placement::Pack), [0, 0, 0, 1, 1, 1, 2]);
    }

    #[test]
    fn fewer_replicas_than_hosts_leave_hosts_empty() {
        let on =
            |placement: Placement| -> Vec<u32> { (0..2).map(|replica| placement.host_of(replica, 2, 5)).collect() };
        assert_eq!([on(Placement::Spread), on(Placement::Pack)], [[0, 1], [0, 1]]);
    }
}
