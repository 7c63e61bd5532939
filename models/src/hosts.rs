//! What replicas run on: a group of hosts, and how they are placed there.

use settings::{Name, Setting, Spanned};

/// How replicas are placed on hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Placement {
    /// One host after the other.
    Spread,
    /// A host is filled before the next is begun: with as many replicas as it has memory for, where they say how much they need
    /// (`memory.request` or `memory.limit`), else with an equal share of them.
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

/// The hosts, by number, of as many replicas as there is memory for. Each needs `needs` bytes of what is free on its host.
pub fn place_in_memory(placement: Placement, replicas: u32, needs: u64, free: &mut [u64]) -> Vec<u32> {
    let mut here = vec![0u32; free.len()];
    let mut placed = Vec::new();
    for _ in 0..replicas {
        let fit = (0..free.len()).filter(|host| free[*host] >= needs);
        let host = match placement {
            Placement::Spread => fit.min_by_key(|host| here[*host]),
            Placement::Pack => fit.min(),
        };
        // All need as much, so that no later one finds room.
        let Some(host) = host else { break };
        free[host] -= needs;
        here[host] += 1;
        placed.push(host as u32);
    }
    placed
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
    fn what_does_not_fit_is_not_placed() {
        let place = |placement: Placement, replicas: u32, free: &[u64]| {
            let mut free = free.to_vec();
            let placed = place_in_memory(placement, replicas, 3, &mut free);
            (placed, free)
        };
        assert_eq!(place(Placement::Spread, 9, &[10, 4, 7]), (vec![0, 1, 2, 0, 2, 0], vec![1, 1, 1]));
        assert_eq!(place(Placement::Pack, 4, &[10, 4, 7]), (vec![0, 0, 0, 1], vec![1, 1, 7]));
        assert_eq!(place(Placement::Pack, 4, &[2, 2]), (vec![], vec![2, 2]));
    }

    #[test]
    fn fewer_replicas_than_hosts_leave_hosts_empty() {
        let on =
            |placement: Placement| -> Vec<u32> { (0..2).map(|replica| placement.host_of(replica, 2, 5)).collect() };
        assert_eq!([on(Placement::Spread), on(Placement::Pack)], [[0, 1], [0, 1]]);
    }
}
