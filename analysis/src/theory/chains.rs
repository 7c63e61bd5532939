//! Markov chains solved by numbers, for systems whose distributions have no closed form but whose states can be listed.
//!
//! A [`Chain`] is its rates from state to state, cut off where hardly anybody is. Its stationary distribution comes from Gauss and
//! Seidel's method; the time until it ends, such as the time that somebody spends in a system, from uniformization: the
//! chain moves at the instants of a Poisson process of its highest rate, so that P(T > t) is a Poisson mixture of the
//! probabilities not to have ended after k moves (Jensen 1953; Grassmann 1977).
//! The systems that are such chains are in [`super::passages`].

/// Rates from state to state.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Of each state: where it goes and at which rate.
    to: Vec<Vec<(usize, f64)>>,
    /// Of each state: the rate at which all ends.
    ends: Vec<f64>,
}

impl Chain {
    /// A chain of so many states, none of which leads anywhere.
    pub fn new(states: usize) -> Self {
        Self { to: vec![Vec::new(); states], ends: vec![0.0; states] }
    }

    /// Adds a rate between two states; what leads out of the states that there are, is cut off.
    pub fn add(&mut self, from: usize, to: usize, rate: f64) {
        if rate > 0.0 && to < self.to.len() {
            self.to[from].push((to, rate));
        }
    }

    /// Adds a rate at which all ends.
    pub fn end(&mut self, from: usize, rate: f64) {
        self.ends[from] += rate;
    }

    fn rate_out(&self, state: usize) -> f64 {
        self.ends[state] + self.to[state].iter().map(|(_, rate)| rate).sum::<f64>()
    }

    /// The stationary distribution of a chain that does not end.
    pub fn stationary(&self) -> Vec<f64> {
        let states = self.to.len();
        let mut into: Vec<Vec<(usize, f64)>> = vec![Vec::new(); states];
        for (from, to) in self.to.iter().enumerate() {
            for (to, rate) in to {
                into[*to].push((from, *rate));
            }
        }
        let out: Vec<f64> = (0..states).map(|state| self.rate_out(state)).collect();
        let mut p = vec![1.0 / states as f64; states];
        for _ in 0..20_000 {
            let mut change = 0.0f64;
            for state in 0..states {
                let inward: f64 = into[state].iter().map(|(from, rate)| p[*from] * rate).sum();
                change = change.max((inward / out[state] - p[state]).abs());
                p[state] = inward / out[state];
            }
            let sum: f64 = p.iter().sum();
            p.iter_mut().for_each(|x| *x /= sum);
            if change < 1e-15 {
                break;
            }
        }
        p
    }

    /// How long it lasts from this distribution of its first state.
    pub fn lifetime(&self, start: Vec<f64>) -> Lifetime {
        let out: Vec<f64> = (0..self.to.len()).map(|state| self.rate_out(state)).collect();
        let rate = out.iter().fold(0.0f64, |most, out| most.max(*out));
        let mut p = start;
        let mut alive = Vec::new();
        loop {
            let now: f64 = p.iter().sum();
            alive.push(now);
            if now < 1e-9 {
                return Lifetime { rate, alive };
            }
            let mut next = vec![0.0; p.len()];
            for (state, p) in p.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                next[state] += p * (1.0 - out[state] / rate);
                for (to, at) in &self.to[state] {
                    next[*to] += p * at / rate;
                }
            }
            p = next;
        }
    }
}

/// The time until a chain ends.
#[derive(Clone, Debug)]
pub struct Lifetime {
    /// Moves per second.
    rate: f64,
    /// Probability not to have ended after 0, 1, 2, … moves.
    alive: Vec<f64>,
}

impl Lifetime {
    /// Probability that it exceeds `t`.
    pub fn above(&self, t: f64) -> f64 {
        let x = self.rate * t;
        // As logarithms: e⁻ˣ alone would vanish.
        let mut log = -x;
        let mut sum = 0.0;
        for (k, alive) in self.alive.iter().enumerate() {
            if k > 0 {
                log += libm::log(x / k as f64);
            }
            sum += alive * libm::exp(log);
        }
        sum
    }

    /// Mean and variance: each move lasts 1/rate on average, and k of them are Erlang's.
    pub fn moments(&self) -> (f64, f64) {
        let mean = self.alive.iter().sum::<f64>() / self.rate;
        let second: f64 = self.alive.iter().zip(1..).map(|(alive, k)| 2.0 * f64::from(k) * alive).sum();
        (mean, second / (self.rate * self.rate) - mean * mean)
    }
}
