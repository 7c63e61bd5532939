//! Shapes: how an open rate changes over time.
//!
//! A shape is a factor over the scenario's clock (0 is the end of the warm-up). It is kept as pieces on which the factor
//! is a straight line; a diurnal one, a sine, is integrated in closed form. What arrivals need is the integral and its
//! inverse.

use settings::{Duration, Setting, SignedDuration};

/// From an instant on, a factor.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct StepSettings {
    /// Start.
    pub at: SignedDuration,
    /// The factor.
    #[setting(range = "0..=1000000")]
    pub x: f64,
}

/// How the rate changes over time, as a factor.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum ShapeSettings {
    /// A step function: from each instant on, its factor; 1 before the first.
    Steps(Vec<StepSettings>),
    /// Changes linearly from one factor to another; constant before and after.
    Ramp {
        /// Start.
        #[setting(default = "0s")]
        at: SignedDuration,
        /// How long it takes.
        r#for: Duration,
        /// The factor before.
        #[setting(default = 1, range = "0..=1000000")]
        from: f64,
        /// The factor after.
        #[setting(range = "0..=1000000")]
        to: f64,
    },
    /// A daily wave between two factors, lowest at t = 0.
    Diurnal {
        /// Length of a cycle.
        #[setting(default = "24h")]
        period: Duration,
        /// The lowest factor.
        #[setting(default = 0, range = "0..=1000000")]
        low: f64,
        /// The highest.
        #[setting(range = "0..=1000000")]
        high: f64,
    },
    /// A different factor for a while.
    Spike {
        /// When.
        at: SignedDuration,
        /// How long.
        r#for: Duration,
        /// The factor.
        #[setting(range = "0..=1000000")]
        x: f64,
    },
    /// Rises to a plateau and falls back.
    FlashCrowd {
        /// Start of the rise.
        at: SignedDuration,
        /// Duration of the rise.
        rise: Duration,
        /// Duration of the plateau.
        r#for: Duration,
        /// Duration of the fall.
        fall: Duration,
        /// The factor of the plateau.
        #[setting(range = "0..=1000000")]
        x: f64,
    },
}

/// A stretch on which the factor is a straight line; nanoseconds on the scenario's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    from: f64,
    to: f64,
    begin: f64,
    end: f64,
}

impl Piece {
    fn at(&self, t: f64) -> f64 {
        if self.to.is_infinite() || self.from.is_infinite() {
            return self.begin;
        }
        self.begin + (self.end - self.begin) * (t - self.from) / (self.to - self.from)
    }

    fn integral(&self, from: f64, to: f64) -> f64 {
        (self.at(from) + self.at(to)) / 2.0 * (to - from)
    }
}

/// A factor over time.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Straight pieces without gaps, from minus to plus infinity.
    #[allow(private_interfaces)]
    Pieces(Vec<Piece>),
    /// mean − swing·cos(2πt/period).
    Wave {
        /// The middle.
        mean: f64,
        /// Half of the difference.
        swing: f64,
        /// Nanoseconds.
        period: f64,
    },
}

impl Shape {
    /// The shape that settings describe.
    pub fn new(settings: &ShapeSettings) -> Shape {
        match settings {
            ShapeSettings::Steps(steps) => {
                let mut steps: Vec<(f64, f64)> = steps.iter().map(|s| (s.at.0 as f64, s.x)).collect();
                steps.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut corners = Vec::new();
                let mut before = 1.0;
                for (at, x) in steps {
                    corners.push((at, before));
                    corners.push((at, x));
                    before = x;
                }
                Shape::corners(&corners)
            }
            ShapeSettings::Ramp { at, r#for, from, to } => {
                let at = at.0 as f64;
                Shape::corners(&[(at, *from), (at + r#for.0 as f64, *to)])
            }
            ShapeSettings::Diurnal { period, low, high } => {
                Shape::Wave { mean: (low + high) / 2.0, swing: (high - low) / 2.0, period: period.0 as f64 }
            }
            ShapeSettings::Spike { at, r#for, x } => {
                let (at, until) = (at.0 as f64, at.0 as f64 + r#for.0 as f64);
                Shape::corners(&[(at, 1.0), (at, *x), (until, *x), (until, 1.0)])
            }
            ShapeSettings::FlashCrowd { at, rise, r#for, fall, x } => {
                let top = at.0 as f64 + rise.0 as f64;
                let until = top + r#for.0 as f64;
                Shape::corners(&[(at.0 as f64, 1.0), (top, *x), (until, *x), (until + fall.0 as f64, 1.0)])
            }
        }
    }

    fn corners(corners: &[(f64, f64)]) -> Shape {
        let Some((first, last)) = corners.first().zip(corners.last()) else {
            let flat = Piece { from: f64::NEG_INFINITY, to: f64::INFINITY, begin: 1.0, end: 1.0 };
            return Shape::Pieces(vec![flat]);
        };
        let mut pieces = vec![Piece { from: f64::NEG_INFINITY, to: first.0, begin: first.1, end: first.1 }];
        for pair in corners.windows(2) {
            if pair[1].0 > pair[0].0 {
                pieces.push(Piece { from: pair[0].0, to: pair[1].0, begin: pair[0].1, end: pair[1].1 });
            }
        }
        pieces.push(Piece { from: last.0, to: f64::INFINITY, begin: last.1, end: last.1 });
        Shape::Pieces(pieces)
    }

    /// The factor at an instant.
    pub fn at(&self, t: f64) -> f64 {
        match self {
            Shape::Pieces(pieces) => pieces.iter().find(|p| t < p.to).map_or(0.0, |p| p.at(t)),
            Shape::Wave { mean, swing, period } => mean - swing * libm::cos(std::f64::consts::TAU * t / period),
        }
    }

    /// The integral of the factor.
    pub fn integral(&self, from: f64, to: f64) -> f64 {
        match self {
            Shape::Pieces(pieces) => pieces
                .iter()
                .filter(|p| p.to > from && p.from < to)
                .map(|p| p.integral(from.max(p.from), to.min(p.to)))
                .sum(),
            Shape::Wave { mean, swing, period } => {
                let turn = std::f64::consts::TAU / period;
                mean * (to - from) - swing / turn * (libm::sin(turn * to) - libm::sin(turn * from))
            }
        }
    }

    /// The instant at which the integral from `from` on has become `amount`; `None` if it never does.
    pub fn after(&self, from: f64, amount: f64) -> Option<f64> {
        match self {
            Shape::Pieces(pieces) => {
                let mut left = amount;
                for piece in pieces.iter().filter(|p| p.to > from) {
                    let begin = from.max(piece.from);
                    let here = if piece.to.is_infinite() && piece.begin > 0.0 {
                        f64::INFINITY
                    } else if piece.to.is_infinite() {
                        return None;
                    } else {
                        piece.integral(begin, piece.to)
                    };
                    if here >= left {
                        let value = piece.at(begin);
                        let slope = if piece.to.is_infinite() || piece.from.is_infinite() {
                            0.0
                        } else {
                            (piece.end - piece.begin) / (piece.to - piece.from)
                        };
                        // value·d + slope·d²/2 = left, in the form that does not cancel.
                        let root = (value * value + 2.0 * slope * left).max(0.0).sqrt();
                        return Some(begin + if left == 0.0 { 0.0 } else { 2.0 * left / (value + root) });
                    }
                    left -= here;
                }
                None
            }
            Shape::Wave { mean, swing, .. } => {
                // The integral grows, so bisection finds it; the bounds follow from the least and greatest factor.
                if *mean <= 0.0 {
                    return None;
                }
                let mut low = 0.0;
                let mut high = amount / (mean + swing).max(1e-300);
                while self.integral(from, from + high) < amount {
                    low = high;
                    high *= 2.0;
                }
                for _ in 0..200 {
                    let middle = (low + high) / 2.0;
                    if middle <= low || middle >= high || high - low < 0.25 {
                        break;
                    }
                    if self.integral(from, from + middle) < amount { low = middle } else { high = middle }
                }
                Some(from + high)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape::new(&settings::notation::read(text).expect("a shape"))
    }

    const S: f64 = 1e9;

    #[test]
    fn factors_are_what_was_written() {
        let steps = shape("{steps: [{at: 10s, x: 2}, {at: 20s, x: 0.5}]}");
        assert_eq!([0.0, 10.0, 19.0, 20.0, 99.0].map(|t| steps.at(t * S)), [1.0, 2.0, 2.0, 0.5, 0.5]);
        let crowd = shape("{flash_crowd: {at: 10s, rise: 10s, for: 20s, fall: 40s, x: 5}}");
        assert_eq!([0.0, 15.0, 30.0, 60.0, 90.0].map(|t| crowd.at(t * S)), [1.0, 3.0, 5.0, 3.0, 1.0]);
        let day = shape("{diurnal: {period: 24h, low: 1, high: 3}}");
        assert!((day.at(0.0) - 1.0).abs() < 1e-12 && (day.at(12.0 * 3600.0 * S) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_inverse_undoes_the_integral() {
        for text in [
            "{steps: [{at: 10s, x: 2}, {at: 20s, x: 0.5}]}",
            "{ramp: {at: 5s, for: 20s, to: 4}}",
            "{flash_crowd: {at: 10s, rise: 10s, for: 20s, fall: 40s, x: 5}}",
            "{diurnal: {period: 60s, low: 0, high: 3}}",
            "{spike: {at: 10s, for: 5s, x: 10}}",
        ] {
            let shape = shape(text);
            for from in [-30.0, 0.0, 9.5, 12.0, 33.0] {
                for amount in [0.001, 0.5, 7.0, 100.0] {
                    let to = shape.after(from * S, amount * S).expect("the rate does not end");
                    let back = shape.integral(from * S, to);
                    assert!((back - amount * S).abs() < 10.0, "{text} from {from}: {back} for {amount}");
                }
            }
        }
    }

    #[test]
    fn a_rate_that_ends_has_no_next_arrival() {
        let shape = shape("{steps: [{at: 10s, x: 0}]}");
        assert_eq!(shape.after(0.0, 11.0 * S), None);
        assert_eq!(shape.after(0.0, 9.0 * S), Some(9.0 * S));
    }
}
