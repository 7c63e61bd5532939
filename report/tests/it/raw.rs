//! A result in its JSON form, read by code that is independent of the report's rules.

use lab::result::RunResult;
use serde_json::Value;

/// A result, parsed from its JSON text.
pub(crate) struct Raw {
    json: Value,
    at_s: Vec<f64>,
    pub(crate) window_s: f64,
    pub(crate) end_s: f64,
}

/// Tolerance for instants, which are sums of windows.
pub(crate) const NEARLY: f64 = 1e-7;

impl Raw {
    pub(crate) fn new(result: &RunResult) -> Raw {
        let json = serde_json::to_value(result).expect("a result can be written");
        let numbers = |value: &Value| value.as_array().expect("a list").iter().filter_map(Value::as_f64).collect();
        Raw {
            at_s: numbers(&json["series"]["at_s"]),
            window_s: json["series"]["window_s"].as_f64().expect("a width"),
            end_s: json["run"]["duration_s"].as_f64().expect("a duration"),
            json,
        }
    }

    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// The value at a path; names in the path may contain dots, and the unit of a time is part of the last key.
    pub(crate) fn at(&self, path: &str) -> Option<&Value> {
        fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
            let map = value.as_object()?;
            if let Some(found) = map.get(path).or_else(|| map.get(&format!("{path}_s"))) {
                return Some(found);
            }
            let borders: Vec<usize> = path.match_indices('.').map(|(at, _)| at).collect();
            borders.into_iter().find_map(|at| find(map.get(&path[..at])?, &path[at + 1..]))
        }
        find(&self.json, path)
    }

    pub(crate) fn number(&self, path: &str) -> Option<f64> {
        self.at(path)?.as_f64()
    }

    /// The names in a section.
    pub(crate) fn names(&self, section: &str) -> Vec<&str> {
        self.json[section].as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// Caller, name and figures of every link.
    pub(crate) fn links(&self) -> Vec<(&str, &str, &Value)> {
        let Some(links) = self.json["links"].as_object() else { return Vec::new() };
        links
            .iter()
            .flat_map(|(from, of)| {
                of.as_object().into_iter().flatten().map(move |(name, figures)| (from.as_str(), name.as_str(), figures))
            })
            .collect()
    }

    pub(crate) fn windows(&self) -> usize {
        self.at_s.len()
    }

    pub(crate) fn begin_s(&self, window: usize) -> f64 {
        self.at_s[window]
    }

    /// A column; `None` if there is none of that name.
    pub(crate) fn column(&self, name: &str) -> Option<Vec<Option<f64>>> {
        let column = self.json["series"]["columns"].get(name)?.as_array()?;
        Some(column.iter().map(Value::as_f64).collect())
    }

    /// The value of a column in a window.
    pub(crate) fn value(&self, name: &str, window: usize) -> Option<f64> {
        self.json["series"]["columns"].get(name)?.get(window)?.as_f64()
    }

    /// The windows that lie completely between two instants.
    pub(crate) fn between(&self, from_s: f64, until_s: f64) -> Vec<usize> {
        let inside = |window: &usize| {
            self.at_s[*window] >= from_s - NEARLY && self.at_s[*window] + self.window_s <= until_s + NEARLY
        };
        (0..self.at_s.len()).filter(inside).collect()
    }

    /// The whole windows of the measured time.
    pub(crate) fn measured(&self) -> Vec<usize> {
        self.between(0.0, self.end_s)
    }

    /// The sum of a metric over all workloads.
    pub(crate) fn of_workloads(&self, metric: &str, window: usize) -> Option<f64> {
        let names = self.names("workloads");
        names.iter().filter_map(|name| self.value(&format!("workloads.{name}.{metric}"), window)).reduce(|a, b| a + b)
    }

    /// The mean of that sum over some windows.
    pub(crate) fn mean_of_workloads(&self, metric: &str, windows: &[usize]) -> Option<f64> {
        let known: Vec<f64> = windows.iter().filter_map(|window| self.of_workloads(metric, *window)).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }

    /// The outcomes at a path, with their counts.
    pub(crate) fn outcomes(&self, path: &str) -> Vec<(&str, f64)> {
        let map = self.at(&format!("{path}.outcomes")).and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(name, count)| Some((name.as_str(), count.as_f64()?))).collect()
    }

    /// Name, start and end of each fault; no end if it acts forever. Faults of the same instant are in file order.
    pub(crate) fn faults(&self) -> Vec<(String, f64, Option<f64>)> {
        self.timed("faults")
    }

    /// The same for actions of operators.
    pub(crate) fn events(&self) -> Vec<(String, f64, Option<f64>)> {
        self.timed("events")
    }

    fn timed(&self, section: &str) -> Vec<(String, f64, Option<f64>)> {
        let of = |one: &Value| {
            let name = one["name"].as_str().or(one["what"].as_str()).unwrap_or_default().to_owned();
            (name, one["at_s"].as_f64().expect("an instant"), one["until_s"].as_f64())
        };
        self.json[section].as_array().into_iter().flatten().map(of).collect()
    }
}
