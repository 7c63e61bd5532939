//! Clients: who the requests of a workload come from, for whatever tells one client from another.
//!
//! A client is a number that travels along every call made for its requests. Clients of two workloads are different ones.

use settings::Setting;
use sim_core::keys::{GivenKeys, Keys};
use sim_core::random::{Key, Population, hash};

const PURPOSE_CLIENT: u32 = 0x636c;

/// Number of distinct clients of an open workload.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "count")]
pub struct ClientsSettings {
    /// Number of clients.
    #[setting(range = "1..")]
    pub count: u64,
    /// The exponent of a Zipf law: the k-th most active client sends requests in proportion to 1 / k^zipf. Without it, all
    /// send equally many.
    #[setting(range = "0..")]
    pub zipf: Option<f64>,
}

impl ClientsSettings {
    /// The law by which requests come from them.
    pub fn keys(&self) -> GivenKeys {
        match self.zipf {
            None => GivenKeys::Uniform { keys: self.count },
            Some(exponent) => GivenKeys::Zipf { keys: self.count, s: exponent },
        }
    }
}

/// Which client each request of a workload comes from.
#[derive(Clone, Debug)]
pub struct Clients {
    population: Population,
    law: Law,
}

#[derive(Clone, Debug)]
enum Law {
    /// Nothing in the scenario goes by clients.
    Unasked,
    /// Each request of an open workload, and each user of any other, is a client of its own.
    Own,
    /// A request comes from one of several.
    Among(Keys),
}

impl Clients {
    /// Of a workload by its name, under the seed of the replication. `asked` where something in the scenario goes by
    /// clients.
    pub fn new(settings: Option<&ClientsSettings>, workload: &str, seed: u64, asked: bool) -> Clients {
        let law = match settings.filter(|_| asked).map(|settings| settings.keys().build()) {
            Some(Ok(keys)) => Law::Among(keys),
            Some(_) | None if asked => Law::Own,
            Some(_) | None => Law::Unasked,
        };
        Clients { population: Population::of(seed, hash(hash(0, workload), "clients")), law }
    }

    /// Whether nobody asks which client a request comes from.
    pub fn is_unasked(&self) -> bool {
        matches!(self.law, Law::Unasked)
    }

    /// The client of the request with this key; `own` is the number of the request, or that of its user. The draw is the
    /// request's own: whether clients are asked for moves no other draw.
    pub fn of(&self, request: Key, own: u64) -> u64 {
        let number = match &self.law {
            Law::Unasked => return 0,
            Law::Own => own,
            // No law of clients goes through them in sequence.
            Law::Among(keys) => keys.sample(&mut 0, &mut request.draw(PURPOSE_CLIENT, 0)),
        };
        self.population.key(number).bits()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use settings::notation::read;

    use super::*;

    fn clients(settings: &str, workload: &str) -> Clients {
        let settings: ClientsSettings = read(settings).expect("they are read");
        Clients::new(Some(&settings), workload, 7, true)
    }

    fn requests(seed: u64) -> impl Iterator<Item = Key> {
        let population = Population::of(seed, 1);
        (0..).map(move |number| population.key(number))
    }

    /// How many of so many requests come from each client, the most active first.
    fn shares(clients: &Clients, count: usize) -> Vec<u64> {
        let mut of_each: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, request) in requests(3).take(count).enumerate() {
            *of_each.entry(clients.of(request, number as u64)).or_default() += 1;
        }
        let mut shares: Vec<u64> = of_each.into_values().collect();
        shares.sort_unstable_by(|a, b| b.cmp(a));
        shares
    }

    #[test]
    fn requests_come_from_as_many_clients_as_there_are() {
        assert_eq!(shares(&clients("1", "w"), 1000), [1000]);
        let even = shares(&clients("100", "w"), 100_000);
        assert_eq!(even.len(), 100);
        // A share has a standard deviation of 31.5; by chance one of two hundred bounds fails once in 10,000 seeds.
        assert!(even.iter().all(|share| share.abs_diff(1000) < 160), "{even:?}");
    }

    #[test]
    fn a_zipf_law_makes_a_few_clients_send_most() {
        let shares = shares(&clients("{count: 1000, zipf: 1}", "w"), 100_000);
        // The first sends 1 / H(1000) = 13.36 % of all, the second half of that; five standard deviations.
        assert!(shares[0].abs_diff(13_360) < 540, "{}", shares[0]);
        assert!(shares[1].abs_diff(6_680) < 400, "{}", shares[1]);
    }

    #[test]
    fn each_request_is_a_client_of_its_own_where_nobody_says_how_many_there_are() {
        let own = Clients::new(None, "w", 7, true);
        assert_eq!(shares(&own, 1000), [1; 1000]);
        let users: Vec<u64> = requests(3).take(10).map(|request| own.of(request, 5)).collect();
        assert!(users.iter().all(|client| *client == users[0]), "the requests of one user come from one client");
    }

    #[test]
    fn clients_of_two_workloads_are_different_ones() {
        let (one, other) = (clients("10", "w"), clients("10", "v"));
        let of =
            |clients: &Clients| -> Vec<u64> { requests(3).take(200).map(|request| clients.of(request, 0)).collect() };
        assert!(of(&one).iter().all(|client| !of(&other).contains(client)));
    }

    #[test]
    fn what_nobody_asks_for_is_not_drawn() {
        let settings: ClientsSettings = read("{count: 10k, zipf: 0.9}").expect("they are read");
        let unasked = Clients::new(Some(&settings), "w", 7, false);
        assert!(unasked.is_unasked());
        assert_eq!(unasked.of(Key::from_bits(1), 1), 0);
        assert_eq!(read::<ClientsSettings>(&settings.write().to_string()).expect("it is read again"), settings);
    }
}
