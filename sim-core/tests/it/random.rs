//! Hashes, keyed draws and streams: pinned values, published sequences, and evenness.

use crate::statistics::{STANDARD_ERRORS, assert_counts_fit, kolmogorov_smirnov, kolmogorov_smirnov_limit};
use rand::Rng;
use sim_core::random::{Draw, Key, Source, Stream, hash, mix, replication_seed};

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

#[test]
fn mix_gives_the_published_sequence_of_splitmix64() {
    let state = |n: u64| 1_234_567u64.wrapping_add(n.wrapping_mul(GOLDEN));
    let expected = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    assert_eq!([1, 2, 3, 4, 5].map(|n| mix(state(n))), expected);
}

/// xoshiro256++ as defined by its authors, seeded with four SplitMix64 words from the name's hash.
struct Twin([u64; 4]);

impl Twin {
    fn named(seed: u64, name: &str) -> Self {
        let start = hash(seed, name);
        Self([1u64, 2, 3, 4].map(|n| mix(start.wrapping_add(n.wrapping_mul(GOLDEN)))))
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        let [first, last] = [a, d ^ b];
        first.wrapping_add(last).rotate_left(23).wrapping_add(first)
    }
}

#[test]
fn streams_are_xoshiro_seeded_by_the_name() {
    let (mut stream, mut twin) = (Stream::named(7, "shop/gap"), Twin::named(7, "shop/gap"));
    for _ in 0..1000 {
        assert_eq!(stream.next_u64(), twin.next());
    }
}

#[test]
fn hashes_draws_and_streams_keep_their_values() {
    let key = Key::root(1, hash(1, "shoppers"), 42);
    let child = key.child(3, 1);
    let mut draw = child.draw(2, 0);
    let mut stream = Stream::named(1, "shoppers/gap");
    let found = [
        hash(1, ""),
        hash(1, "shoppers"),
        hash(1, "a name longer than one word"),
        replication_seed(1, 1),
        key.bits(),
        child.bits(),
        draw.next_u64(),
        draw.next_u64(),
        stream.next_u64(),
        stream.next_u64(),
    ];
    let pinned: [u64; 10] = [
        0xE729_79B6_75A4_A978,
        0xECD9_585B_4A23_5B29,
        0x15B1_7891_63BF_06AE,
        0x82F8_2606_6B9C_F0E8,
        0x16FD_8F06_CBEE_FA16,
        0x5FCB_BBAD_C2D7_3CBE,
        0x4B0C_A080_4F56_041D,
        0xD5ED_8B9C_D596_FE67,
        0x4BA8_5E4A_950A_9F68,
        0x59FE_FAC2_6389_4467,
    ];
    assert_eq!(found, pinned, "results of all scenarios would change: {found:#018X?}");
}

#[test]
fn unit_and_below_keep_their_values() {
    let mut draw = Draw::new(1, 2, 3);
    let found = (draw.unit(), draw.unit_open(), draw.below(1000), draw.below(1 << 40));
    assert_eq!(found, (0.837_739_830_356_696_6, 0.590_591_723_508_438_2, 797, 521_023_527_831));
}

#[test]
fn replication_zero_is_the_base_seed() {
    assert_eq!(replication_seed(99, 0), 99);
    let mut seeds: Vec<u64> = (0..1000).map(|number| replication_seed(99, number)).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 1000);
}

#[test]
fn neighbouring_names_numbers_links_and_purposes_share_no_key() {
    let mut words: Vec<u64> = Vec::new();
    for name in ["a", "b", "ab", "ba", "a\0", "", "\0", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaaaaaaaaaa"] {
        for seed in 0..4 {
            let workload = hash(seed, name);
            words.push(workload);
            for request in 0..50 {
                let root = Key::root(seed, workload, request);
                words.push(root.bits());
                for (first, second) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (0, 2)] {
                    words.push(root.child(first, second).bits());
                    words.push(root.child(first, second).child(second, first).bits());
                    words.push(root.draw(first, second).next_u64());
                }
            }
        }
    }
    let number = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), number);
}

#[test]
fn extreme_words_give_fractions_inside_their_interval() {
    struct Fixed(u64);
    impl rand::TryRng for Fixed {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(self.0 as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(self.0)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(self.0 as u8);
            Ok(())
        }
    }
    assert_eq!(Fixed(0).unit(), 0.0);
    assert!(Fixed(u64::MAX).unit() < 1.0);
    assert!(Fixed(0).unit_open() > 0.0);
    assert!(Fixed(u64::MAX).unit_open() < 1.0);
    assert_eq!((Fixed(u64::MAX).below(10), Fixed(0).below(10), Fixed(u64::MAX).below(0)), (9, 0, 0));
    assert_eq!(Fixed(u64::MAX).below(u64::MAX), u64::MAX - 1);
    assert!(Fixed(u64::MAX).happens(1.0) && !Fixed(0).happens(0.0));
}

/// The first words of draws whose key, purpose or ordinal increases by one: the most regular arguments possible.
fn counted_draws(number: u32) -> [(&'static str, Vec<u64>); 4] {
    let root = |request: u32| Key::root(5, hash(5, "w"), u64::from(request));
    let take = |word: &dyn Fn(u32) -> u64| (0..number).map(word).collect::<Vec<u64>>();
    [
        ("requests", take(&|n| root(n).draw(0, 0).next_u64())),
        ("ordinals", take(&|n| root(0).child(0, n).draw(0, 0).next_u64())),
        ("purposes", take(&|n| root(0).draw(n, 0).next_u64())),
        (
            "second words",
            take(&|n| {
                let mut draw = root(n).draw(0, 0);
                draw.next_u64();
                draw.next_u64()
            }),
        ),
    ]
}

#[test]
fn draws_of_consecutive_keys_are_even_in_their_high_and_low_bits() {
    for (what, words) in counted_draws(100_000) {
        for shift in [0, 20, 56] {
            let mut counts = [0; 256];
            for word in &words {
                counts[(word >> shift) as usize & 255] += 1;
            }
            assert_counts_fit(what, &counts, &[1.0 / 256.0; 256], words.len() as u64);
        }
        let mut units: Vec<f64> = words.iter().map(|word| *word as f64 / 18_446_744_073_709_551_616.0).collect();
        let distance = kolmogorov_smirnov(&mut units, |x| x);
        assert!(distance < kolmogorov_smirnov_limit(), "{what}: {distance}");
    }
}

#[test]
fn draws_of_neighbours_are_independent() {
    for (what, words) in counted_draws(100_000) {
        // Pairs of the top four bits of neighbours are evenly distributed over 256 cells.
        let mut counts = [0; 256];
        for pair in words.windows(2).step_by(2) {
            counts[((pair[0] >> 60) << 4 | pair[1] >> 60) as usize] += 1;
        }
        assert_counts_fit(what, &counts, &[1.0 / 256.0; 256], counts.iter().sum());
    }
}

#[test]
fn each_bit_of_a_number_changes_half_of_the_bits_of_the_draw() {
    let trials = 4000u32;
    let standard_error = (0.25 / f64::from(trials)).sqrt();
    for bit in 0..32 {
        let mut flips = [0u32; 64];
        for trial in 0..trials {
            let word = |request: u64| Key::root(1, 2, request).draw(0, 0).next_u64();
            let request = mix(u64::from(trial));
            let changed = word(request) ^ word(request ^ (1 << bit));
            for (position, flip) in flips.iter_mut().enumerate() {
                *flip += (changed >> position & 1) as u32;
            }
        }
        for (position, flip) in flips.iter().enumerate() {
            let share = f64::from(*flip) / f64::from(trials);
            // 2048 shares: one more standard error keeps the total false-alarm rate within that of a single check.
            assert!((share - 0.5).abs() < (STANDARD_ERRORS + 1.0) * standard_error, "bit {bit} on {position}: {share}");
        }
    }
}

#[test]
fn a_draw_serves_as_a_generator_of_rand() {
    let (mut as_generator, mut plain) = (Draw::new(9, 0, 0), Draw::new(9, 0, 0));
    let mut bytes = [0; 12];
    as_generator.fill_bytes(&mut bytes);
    assert_eq!(bytes[..8], plain.next_u64().to_le_bytes());
    assert_eq!(bytes[8..], plain.next_u64().to_le_bytes()[..4]);
    assert_eq!(as_generator.next_u32(), (plain.next_u64() >> 32) as u32);
}
