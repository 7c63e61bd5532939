//! Distributions of durations, counts and factors, and key choosers, as written in scenarios.
//!
//! The notation is a derived choice. The engine's own constructors check the parameters, and their errors are reported
//! at the parameter.

use sim_core::dist::{Dist, DistError, Given};
use sim_core::keys::GivenKeys;

use crate::book::{Book, Shape};
use crate::place::Path;
use crate::problem::Problem;
use crate::reader::{Reader, Setting};
use crate::tree::Node;
use crate::values::{Count, Duration, Fraction, Scalar};

/// A distribution of durations; the engine's numbers are nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationDist(pub Dist);

/// A distribution of counts.
#[derive(Clone, Debug, PartialEq)]
pub struct CountDist(pub Dist);

/// A distribution of factors.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorDist(pub Dist);

/// The choice of a request's key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyChooser(pub GivenKeys);

/// A parameter of a distribution, convertible to the engine's unit.
trait Parameter: Sized {
    /// The number in nanoseconds, or the plain count or factor.
    fn number(&self) -> f64;

    /// The parameter with this number.
    fn of_number(number: f64) -> Self;

    /// The parameter in a cell of a table, given the name of its column.
    fn of_cell(cell: &str, column: &str) -> Result<Self, String>;
}

impl Parameter for Duration {
    fn number(&self) -> f64 {
        self.0 as f64
    }

    fn of_number(number: f64) -> Duration {
        Duration(number.round() as u64)
    }

    /// The unit is in the cell, or at the end of the column's name: `latency_ms`.
    fn of_cell(cell: &str, column: &str) -> Result<Duration, String> {
        let unit = column.rsplit_once('_').map(|(_, unit)| unit).filter(|unit| ["ns", "us", "ms", "s"].contains(unit));
        let read = match (cell.parse::<f64>(), unit) {
            (Ok(number), Some(unit)) => {
                let nanoseconds = match unit {
                    "s" => 1e9,
                    "ms" => 1e6,
                    "us" => 1e3,
                    _ => 1.0,
                };
                let number = number * nanoseconds;
                return if number.is_finite() && number >= 0.0 {
                    Ok(Duration::of_number(number))
                } else {
                    Err(format!("`{cell}` is not a duration"))
                };
            }
            (Ok(_), None) => {
                return Err(format!(
                    "`{cell}` has no unit: write it in the cells, or name the column `{column}_ms` (or `_s`, `_us`, `_ns`)"
                ));
            }
            (Err(_), _) => Duration::parse(cell),
        };
        read.map_err(|error| error.message)
    }
}

impl Parameter for Count {
    fn number(&self) -> f64 {
        self.0 as f64
    }

    fn of_number(number: f64) -> Count {
        Count(number.round() as u64)
    }

    fn of_cell(cell: &str, _column: &str) -> Result<Count, String> {
        Count::parse(cell).map_err(|error| error.message)
    }
}

impl Parameter for f64 {
    fn number(&self) -> f64 {
        *self
    }

    fn of_number(number: f64) -> f64 {
        number
    }

    fn of_cell(cell: &str, _column: &str) -> Result<f64, String> {
        f64::parse(cell).map_err(|error| error.message)
    }
}

/// Defines the notation of a distribution, and the conversion to and from the engine's form.
macro_rules! distribution {
    (
        $form:ident, $part:ident, $wrapper:ident, $value:ty, $parameter:ty, $doc:literal;
        $($(#[doc = $extra_doc:literal])* $extra:ident => $make:path;)*
    ) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Setting)]
        #[setting(bare = "Constant")]
        enum $form {
            /// Always the same value.
            Constant($value),
            /// Exponential, by its mean.
            Exp($parameter),
            /// Uniform between two ends.
            Uniform(($parameter, $parameter)),
            /// Normal, drawn again while below zero.
            Normal {
                /// The mean before anything is redrawn.
                mean: $parameter,
                /// The standard deviation.
                sd: $parameter,
            },
            /// Lognormal, by `mean` and `cv` or by `p50` and `p99`.
            Lognormal {
                /// The mean.
                mean: Option<$parameter>,
                /// The coefficient of variation: standard deviation over mean.
                cv: Option<f64>,
                /// The median.
                p50: Option<$parameter>,
                /// The 99th percentile.
                p99: Option<$parameter>,
            },
            /// The sum of equal exponential phases.
            Erlang {
                /// The number of phases.
                #[setting(range = "1..")]
                k: u64,
                /// The mean of the sum.
                mean: $parameter,
            },
            /// Gamma.
            Gamma {
                /// The mean.
                mean: $parameter,
                /// The coefficient of variation: standard deviation over mean.
                cv: f64,
            },
            /// Weibull.
            Weibull {
                /// The mean.
                mean: $parameter,
                /// The shape: below 1 heavier than exponential, above 1 lighter.
                shape: f64,
            },
            /// Pareto.
            Pareto {
                /// The smallest value.
                min: $parameter,
                /// The exponent of the tail; at 2 and below the variance is infinite, at 1 and below the mean too.
                shape: f64,
                /// Upper cut-off of the tail.
                max: Option<$parameter>,
            },
            /// Hyperexponential with two balanced phases.
            Hyperexp {
                /// The mean.
                mean: $parameter,
                /// The coefficient of variation, at least 1.
                #[setting(range = "1..")]
                cv: f64,
            },
            /// One of several distributions, drawn by weight.
            Mixture(Vec<$part>),
            /// A distribution shifted by a constant.
            Shift {
                /// Constant added to every draw.
                by: $parameter,
                /// The distribution to shift.
                of: $wrapper,
            },
            /// Measured values, drawn by weight.
            Empirical {
                /// The values.
                values: Option<Vec<$parameter>>,
                /// Weights of the values. Equal by default.
                weights: Option<Vec<f64>>,
                /// A table with the values, relative to the scenario file.
                file: Option<String>,
                /// The column of the table.
                column: Option<String>,
            },
            $($(#[doc = $extra_doc])* $extra($parameter),)*
        }

        /// One distribution of a mixture.
        #[derive(Clone, Debug, PartialEq, Setting)]
        struct $part {
            /// Weight relative to the others.
            weight: f64,
            /// What to draw.
            of: $wrapper,
        }

        impl $form {
            /// The engine's distribution, or an error.
            fn build(self, node: &Node, cx: &mut Reader) -> Option<Result<Dist, DistError>> {
                Some(match self {
                    $form::Constant(value) => Dist::constant(value.number()),
                    $form::Exp(mean) => Dist::exp(mean.number()),
                    $form::Uniform((low, high)) => Dist::uniform(low.number(), high.number()),
                    $form::Normal { mean, sd } => Dist::normal(mean.number(), sd.number()),
                    $form::Lognormal { mean: Some(mean), cv: Some(cv), p50: None, p99: None } => {
                        Dist::lognormal(mean.number(), cv)
                    }
                    $form::Lognormal { mean: None, cv: None, p50: Some(p50), p99: Some(p99) } => {
                        Dist::lognormal_percentiles(p50.number(), p99.number())
                    }
                    $form::Lognormal { .. } => {
                        let message = "a lognormal distribution needs `mean` and `cv`, or `p50` and `p99`";
                        return cx.refuse(Problem::error("bad_parameter", node.span, message));
                    }
                    $form::Erlang { k, mean } => Dist::erlang(k, mean.number()),
                    $form::Gamma { mean, cv } => Dist::gamma(mean.number(), cv),
                    $form::Weibull { mean, shape } => Dist::weibull(mean.number(), shape),
                    $form::Pareto { min, shape, max } => {
                        Dist::pareto(min.number(), shape, max.map(|max| max.number()))
                    }
                    $form::Hyperexp { mean, cv } => Dist::hyperexp(mean.number(), cv),
                    $form::Mixture(parts) => {
                        Dist::mixture(parts.into_iter().map(|part| (part.weight, part.of.0)).collect())
                    }
                    $form::Shift { by, of } => Dist::shift(by.number(), of.0),
                    $form::Empirical { values: Some(values), weights, file: None, column: None } => {
                        Dist::empirical(values.iter().map(Parameter::number).collect(), weights)
                    }
                    $form::Empirical { values: None, weights: None, file: Some(file), column: Some(column) } => {
                        let values = read_column::<$parameter>(&file, &column, node, cx)?;
                        Dist::empirical(values, None)
                    }
                    $form::Empirical { .. } => {
                        let message = "an empirical distribution needs `values` (and perhaps `weights`), or `file` and `column`";
                        return cx.refuse(Problem::error("bad_parameter", node.span, message));
                    }
                    $($form::$extra(mean) => $make(mean.number()),)*
                })
            }

            /// The notation of one of the engine's distributions.
            fn of_dist(dist: &Dist) -> $form {
                let value = <$parameter>::of_number;
                match dist.given() {
                    Given::Constant { value } => $form::Constant(<$value>::of_number(value)),
                    Given::Exp { mean } => $form::Exp(value(mean)),
                    Given::Uniform { low, high } => $form::Uniform((value(low), value(high))),
                    Given::Normal { mean, sd } => $form::Normal { mean: value(mean), sd: value(sd) },
                    Given::LognormalMoments { mean, cv } => {
                        $form::Lognormal { mean: Some(value(mean)), cv: Some(cv), p50: None, p99: None }
                    }
                    Given::LognormalPercentiles { p50, p99 } => {
                        $form::Lognormal { mean: None, cv: None, p50: Some(value(p50)), p99: Some(value(p99)) }
                    }
                    Given::Erlang { k, mean } => $form::Erlang { k, mean: value(mean) },
                    Given::Gamma { mean, cv } => $form::Gamma { mean: value(mean), cv },
                    Given::Weibull { mean, shape } => $form::Weibull { mean: value(mean), shape },
                    Given::Pareto { min, shape, max } => {
                        $form::Pareto { min: value(min), shape, max: max.map(value) }
                    }
                    Given::Hyperexp { mean, cv } => $form::Hyperexp { mean: value(mean), cv },
                    Given::Mixture { parts } => {
                        let part = |(weight, of): &(f64, Dist)| $part { weight: *weight, of: $wrapper(of.clone()) };
                        $form::Mixture(parts.iter().map(part).collect())
                    }
                    Given::Shift { by, of } => $form::Shift { by: value(by), of: $wrapper(of.clone()) },
                    Given::Empirical { values, weights } => $form::Empirical {
                        values: Some(values.iter().copied().map(value).collect()),
                        weights: weights.map(<[f64]>::to_vec),
                        file: None,
                        column: None,
                    },
                    $(given!($extra { mean }) => $form::$extra(value(mean)),)*
                    // Only counts can be written this way; such a duration can only be constructed by a program.
                    #[allow(unreachable_patterns)]
                    Given::Geometric { mean } | Given::Poisson { mean } => $form::Constant(<$value>::of_number(mean)),
                }
            }
        }

        impl Setting for $wrapper {
            fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
                let form = $form::read(node, cx)?;
                match form.build(node, cx)? {
                    Ok(dist) => Some($wrapper(dist)),
                    Err(error) => refuse_parameter(node, cx, &error),
                }
            }

            fn describe(book: &mut Book) -> Shape {
                $form::describe(book)
            }

            fn write(&self) -> Node {
                $form::of_dist(&self.0).write()
            }

            fn words() -> Vec<&'static str> {
                $form::words()
            }
        }
    };
}

/// The engine's parameters of a distribution that only counts have.
macro_rules! given {
    (Geometric { $mean:ident }) => {
        Given::Geometric { $mean }
    };
    (Poisson { $mean:ident }) => {
        Given::Poisson { $mean }
    };
}

distribution! {
    DurationDistribution, DurationMixturePart, DurationDist, Duration, Duration,
    "A distribution of durations: a bare duration is constant.";
}

distribution! {
    CountDistribution, CountMixturePart, CountDist, Count, f64,
    "A distribution of counts: a bare count is constant; draws are rounded to whole numbers.";
    /// Geometric on 1, 2, 3, …, by its mean.
    Geometric => Dist::geometric;
    /// Poisson, by its mean.
    Poisson => Dist::poisson;
}

distribution! {
    FactorDistribution, FactorMixturePart, FactorDist, f64, f64,
    "A distribution of factors: a bare number is constant.";
}

fn read_column<P: Parameter>(file: &str, column: &str, node: &Node, cx: &mut Reader) -> Option<Vec<f64>> {
    let place = |key: &str| {
        node.at(&format!("empirical.{key}"))
            .map_or((node.span, Path::root()), |found| (found.span, Path::of(&["empirical", key])))
    };
    let refuse = |cx: &mut Reader, key: &str, message: String| {
        let (span, below) = place(key);
        report_below(cx, below.segments(), Problem::error("bad_file", span, message));
        None
    };
    let Some(files) = cx.files() else {
        return refuse(cx, "file", "this scenario cannot refer to files: it was not read from a file".to_string());
    };
    let cells = match files.column(file, column) {
        Ok(cells) => cells,
        Err(message) => return refuse(cx, "file", message),
    };
    // Memory for the sorted values, with the probability of each.
    if !files.takes(40 * cells.len() as u64) {
        return refuse(cx, "file", format!("`{file}` exceeds the memory limit"));
    }
    let mut values = Vec::with_capacity(cells.len());
    for (row, cell) in cells.iter().enumerate() {
        match P::of_cell(cell.trim(), column) {
            Ok(value) => values.push(value.number()),
            Err(message) => {
                let message = if files.quotes(file) { message } else { "this is no such value".to_string() };
                return refuse(cx, "column", format!("row {} of `{file}`: {message}", row + 1));
            }
        }
    }
    Some(values)
}

/// Reports an invalid parameter of a distribution at that parameter.
fn refuse_parameter<T>(node: &Node, cx: &mut Reader, error: &DistError) -> Option<T> {
    let word = node.entries().and_then(|entries| entries.first()).map(|entry| entry.key.clone());
    let mut below: Vec<String> = word.into_iter().collect();
    let index = error.index.map(|index| index.to_string());
    match (error.parameter, index) {
        ("mixture", Some(index)) => below.extend([index, "weight".to_string()]),
        ("low", _) => below.push("0".to_string()),
        ("high", _) => below.push("1".to_string()),
        (parameter, index) => {
            below.push(parameter.to_string());
            below.extend(index);
        }
    }
    // A choice with a single value has no key for it: the parameter is the value itself.
    while !below.is_empty() && node.get(&Path::of(&below)).is_none() {
        below.pop();
    }
    let found = node.get(&Path::of(&below)).unwrap_or(node);
    let name = match error.parameter {
        "low" => "the low end",
        "high" => "the high end",
        "mixture" => "the weight",
        parameter => parameter,
    };
    let name = if name.contains(' ') { name.to_string() } else { format!("`{name}`") };
    let shown = found.as_text().map(|_| format!(", found {}", found.found())).unwrap_or_default();
    let problem = Problem::error("bad_parameter", found.span, format!("{name} {}{shown}", error.problem));
    report_below(cx, &below, problem);
    None
}

/// Reports a problem at a path below the current one.
fn report_below(cx: &mut Reader, below: &[String], problem: Problem) {
    match below.split_first() {
        Some((segment, rest)) => cx.within(segment, None, |cx| report_below(cx, rest, problem)),
        None => cx.report(problem),
    }
}

/// How the key of a request is chosen.
#[derive(Clone, Debug, PartialEq, Setting)]
enum KeyChoice {
    /// All keys equally often.
    Uniform {
        /// Number of keys.
        #[setting(range = "1..")]
        keys: u64,
    },
    /// The k-th most popular key in proportion to 1 / k^s.
    Zipf {
        /// Number of keys.
        #[setting(range = "1..")]
        keys: u64,
        /// The exponent; the usual benchmarks take 0.99.
        #[setting(default = "0.99", range = "0..")]
        s: f64,
    },
    /// A few keys get a large share of the requests; the others share the rest.
    Hot {
        /// Number of keys.
        #[setting(range = "1..")]
        keys: u64,
        /// Number of hot keys.
        #[setting(default = "1", range = "1..")]
        hot_keys: u64,
        /// Share of the requests that goes to the hot keys.
        hot_share: Fraction,
    },
    /// All keys in sequence, then again from the first.
    Sequential {
        /// Number of keys.
        #[setting(range = "1..")]
        keys: u64,
    },
    /// Always the same key.
    Constant(u64),
}

impl Setting for KeyChooser {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let keys = match KeyChoice::read(node, cx)? {
            KeyChoice::Uniform { keys } => GivenKeys::Uniform { keys },
            KeyChoice::Zipf { keys, s } => GivenKeys::Zipf { keys, s },
            KeyChoice::Hot { keys, hot_keys, hot_share } => GivenKeys::Hot { keys, hot_keys, hot_share: hot_share.0 },
            KeyChoice::Sequential { keys } => GivenKeys::Sequential { keys },
            KeyChoice::Constant(key) => GivenKeys::Constant { key },
        };
        match keys.check() {
            Ok(()) => Some(KeyChooser(keys)),
            Err(error) => refuse_parameter(node, cx, &error),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        KeyChoice::describe(book)
    }

    fn write(&self) -> Node {
        let choice = match self.0 {
            GivenKeys::Uniform { keys } => KeyChoice::Uniform { keys },
            GivenKeys::Zipf { keys, s } => KeyChoice::Zipf { keys, s },
            GivenKeys::Hot { keys, hot_keys, hot_share } => {
                KeyChoice::Hot { keys, hot_keys, hot_share: Fraction(hot_share) }
            }
            GivenKeys::Sequential { keys } => KeyChoice::Sequential { keys },
            GivenKeys::Constant { key } => KeyChoice::Constant(key),
        };
        choice.write()
    }

    fn words() -> Vec<&'static str> {
        KeyChoice::words()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation;
    use crate::place::SourceId;
    use crate::reader::Files;
    use std::rc::Rc;

    fn round_trip<T: Setting + PartialEq + std::fmt::Debug>(text: &str) {
        let value: T = notation::read(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        assert_eq!(value.write().to_string(), text);
    }

    fn said<T: Setting>(text: &str, mut cx: Reader) -> Vec<String> {
        let node = notation::parse(text, SourceId(0)).expect(text);
        assert!(T::read(&node, &mut cx).is_none(), "{text} is accepted");
        let line = |problem: Problem| {
            let (start, end) = (problem.span.start as usize, problem.span.end as usize);
            format!("{}|{}|{}", problem.path, &text[start..end], problem.message)
        };
        cx.problems.into_sorted().into_iter().map(line).collect()
    }

    #[test]
    fn every_form_is_written_as_it_was_read() {
        for text in [
            "5ms",
            "{exp: 5ms}",
            "{uniform: [1ms, 3ms]}",
            "{normal: {mean: 5ms, sd: 1ms}}",
            "{lognormal: {mean: 5ms, cv: 1.5}}",
            "{lognormal: {p50: 5ms, p99: 80ms}}",
            "{erlang: {k: 3, mean: 5ms}}",
            "{gamma: {mean: 5ms, cv: 0.5}}",
            "{weibull: {mean: 5ms, shape: 0.7}}",
            "{pareto: {min: 1ms, shape: 1.5}}",
            "{pareto: {min: 1ms, shape: 1.5, max: 1s}}",
            "{hyperexp: {mean: 5ms, cv: 2}}",
            "{mixture: [{weight: 9, of: 1ms}, {weight: 1, of: {exp: 20ms}}]}",
            "{shift: {by: 1ms, of: {exp: 5ms}}}",
            "{empirical: {values: [1ms, 2ms]}}",
            "{empirical: {values: [1ms, 2ms], weights: [1, 2]}}",
        ] {
            round_trip::<DurationDist>(text);
        }
        for text in ["3", "{geometric: 2.5}", "{poisson: 4}", "{uniform: [1, 6]}", "{exp: 7.25}"] {
            round_trip::<CountDist>(text);
        }
        for text in [
            "1",
            "0.5",
            "{exp: 1}",
            "{lognormal: {mean: 1, cv: 2}}",
            "{mixture: [{weight: 9, of: 0.5}, {weight: 1, of: 5.5}]}",
        ] {
            round_trip::<FactorDist>(text);
        }
        for text in [
            "{uniform: {keys: 10000}}",
            "{zipf: {keys: 1000, s: 0.99}}",
            "{hot: {keys: 10000, hot_keys: 1, hot_share: 80%}}",
            "{sequential: {keys: 10}}",
            "{constant: 1}",
        ] {
            round_trip::<KeyChooser>(text);
        }
    }

    #[test]
    fn a_parameter_that_makes_no_distribution_is_reported_at_the_parameter() {
        for (text, expected) in [
            ("{exp: 0s}", "exp|0s|`mean` must be greater than 0, found `0s`"),
            ("{uniform: [3ms, 1ms]}", "uniform.1|1ms|the high end must not be below the low end, found `1ms`"),
            ("{gamma: {mean: 5ms, cv: -1}}", "gamma.cv|-1|`cv` must be at least 0, found `-1`"),
            ("{hyperexp: {mean: 5ms, cv: 0.5}}", "hyperexp.cv|0.5|`0.5` is out of range: `cv` must be at least 1"),
            ("{lognormal: {p50: 5ms, p99: 1ms}}", "lognormal.p99|1ms|`p99` must not be below `p50`, found `1ms`"),
            (
                "{pareto: {min: 5ms, shape: 2, max: 1ms}}",
                "pareto.max|1ms|`max` must be greater than `min`, found `1ms`",
            ),
            (
                "{lognormal: {p50: 5ms, cv: 1}}",
                "|{lognormal: {p50: 5ms, cv: 1}}|a lognormal distribution needs `mean` and `cv`, or `p50` and `p99`",
            ),
            (
                "{poisson: 4}",
                "|poisson|expected one of `exp`, `uniform`, `normal`, `lognormal`, `erlang`, `gamma`, `weibull`, `pareto`, `hyperexp`, `mixture`, `shift` or `empirical`, found `poisson`",
            ),
            ("{shift: {by: 1ms, of: {exp: 0s}}}", "shift.of.exp|0s|`mean` must be greater than 0, found `0s`"),
            ("{empirical: {values: []}}", "empirical.values|[]|`values` must not be empty"),
        ] {
            assert_eq!(said::<DurationDist>(text, Reader::new()), [expected], "{text}");
        }
        assert_eq!(
            said::<CountDist>("{geometric: 0.5}", Reader::new()),
            ["geometric|0.5|`mean` must be at least 1, found `0.5`"]
        );
        assert_eq!(
            said::<KeyChooser>("{hot: {keys: 2, hot_keys: 0, hot_share: 10%}}", Reader::new()),
            ["hot.hot_keys|0|`0` is out of range: `hot_keys` must be at least 1"]
        );
    }

    struct Table;

    impl Files for Table {
        fn column(&self, file: &str, column: &str) -> Result<Rc<Vec<String>>, String> {
            let cells = match (file, column) {
                ("t.csv", "wait_ms") => vec!["1".to_string(), "2.5".to_string()],
                ("t.csv", "wait") => vec!["1ms".to_string(), "2500us".to_string()],
                ("t.csv", "bare") => vec!["1".to_string()],
                _ => return Err(format!("there is no file `{file}`")),
            };
            Ok(Rc::new(cells))
        }
    }

    #[test]
    fn values_come_from_files_with_the_unit_in_the_cell_or_the_column() {
        for column in ["wait_ms", "wait"] {
            let node = notation::parse(&format!("{{empirical: {{file: t.csv, column: {column}}}}}"), SourceId(0))
                .expect("a node");
            let mut cx = Reader::with_files(Rc::new(Table));
            let dist = DurationDist::read(&node, &mut cx).expect("a distribution");
            assert_eq!(dist.write().to_string(), "{empirical: {values: [1ms, 2.5ms]}}");
        }
        let with_files = || Reader::with_files(Rc::new(Table));
        let none = "{empirical: {file: x.csv, column: wait}}";
        assert_eq!(said::<DurationDist>(none, with_files()), ["empirical.file|x.csv|there is no file `x.csv`"]);
        let bare = "{empirical: {file: t.csv, column: bare}}";
        assert_eq!(said::<DurationDist>(bare, with_files()).len(), 1);
        assert!(
            said::<DurationDist>(bare, with_files())[0]
                .starts_with("empirical.column|bare|row 1 of `t.csv`: `1` has no unit")
        );
        assert_eq!(
            said::<DurationDist>(none, Reader::new()),
            ["empirical.file|x.csv|this scenario cannot refer to files: it was not read from a file"]
        );
    }
}
