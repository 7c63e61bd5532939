//! Access logs named by a scenario: one request a line, in the common or the combined format of web servers, or as a JSON object.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;
use settings::LogFormat;

/// What the lines of the common format consist of; the combined one has two more.
const COMMON: [&str; 7] = ["host", "ident", "user", "time", "request", "status", "bytes"];
const COMBINED: [&str; 2] = ["referer", "agent"];
/// What is taken out of `request`: `GET /items?page=2 HTTP/1.1`.
const OF_REQUEST: [&str; 2] = ["method", "path"];

/// One field of each line, in order; `file` is the name of the log in messages. Empty lines are passed over.
///
/// # Errors
/// A message: the log cannot be read, it has no such field (with those that it has), a line is not in the format, or there are
/// more than `most` lines.
pub(crate) fn field(
    log: impl Read,
    file: &str,
    format: LogFormat,
    name: &str,
    most: u64,
) -> Result<Vec<String>, String> {
    if let Some(known) = known_fields(format).filter(|known| !known.contains(&name)) {
        let help = settings::problem::did_you_mean(name, known.iter().copied());
        let help = help.unwrap_or_else(|| format!("it has {}", known.join(", ")));
        return Err(format!("`{file}` has no field `{name}`; {help}"));
    }
    let mut log = BufReader::new(log);
    let (mut found, mut bytes, mut number) = (Vec::new(), Vec::new(), 0_u64);
    loop {
        bytes.clear();
        number += 1;
        if log.read_until(b'\n', &mut bytes).map_err(|why| format!("`{file}`: {why}"))? == 0 {
            return Ok(found);
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if found.len() as u64 >= most {
            return Err(format!("`{file}` has more than {most} rows, which exceeds the memory limit"));
        }
        let value = match format {
            LogFormat::Common | LogFormat::Combined => of_line(line, format, name),
            LogFormat::Json => of_object(line, name),
        };
        found.push(value.map_err(|why| format!("line {number} of `{file}` {why}"))?);
    }
}

/// The names of a format's fields; `None` if each line has its own.
fn known_fields(format: LogFormat) -> Option<Vec<&'static str>> {
    match format {
        LogFormat::Common => Some([&COMMON[..], &OF_REQUEST].concat()),
        LogFormat::Combined => Some([&COMMON[..], &COMBINED, &OF_REQUEST].concat()),
        LogFormat::Json => None,
    }
}

/// A field of a line in the common or combined format.
fn of_line(line: &str, format: LogFormat, name: &str) -> Result<String, String> {
    let fields = split(line);
    let needed = if format == LogFormat::Common { COMMON.len() } else { COMMON.len() + COMBINED.len() };
    if fields.len() < needed {
        return Err(format!("has {} of {needed} fields", fields.len()));
    }
    let of = |name: &str| COMMON.iter().chain(&COMBINED).position(|known| *known == name).map(|at| fields[at].as_str());
    let request = || of("request").unwrap_or_default().split(' ');
    let value = match name {
        "method" => request().next(),
        "path" => request().nth(1).map(|target| target.split('?').next().unwrap_or_default()),
        _ => of(name),
    };
    Ok(value.unwrap_or_default().to_string())
}

/// The parts of a line: words, and what stands within quotes or brackets.
fn split(line: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut characters = line.chars();
    while let Some(first) = characters.next() {
        let end = match first {
            ' ' => continue,
            '"' => Some('"'),
            '[' => Some(']'),
            _ => None,
        };
        let mut part = String::new();
        if end.is_none() {
            part.push(first);
        }
        while let Some(next) = characters.next() {
            match (next, end) {
                ('\\', Some('"')) => part.extend(characters.next()),
                (next, Some(end)) if next == end => break,
                (' ', None) => break,
                (next, _) => part.push(next),
            }
        }
        parts.push(part);
    }
    parts
}

/// A field of a JSON object; `a.b` is the field `b` of the object in `a`. Empty if the line has none.
fn of_object(line: &str, name: &str) -> Result<String, String> {
    let object: Value = serde_json::from_str(line).map_err(|why| format!("is no JSON object: {why}"))?;
    if !object.is_object() {
        return Err("is no JSON object".to_string());
    }
    let nested = || name.split('.').try_fold(&object, |value, key| value.get(key));
    Ok(match object.get(name).or_else(nested) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_string(),
        Some(other) => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED_LINES: &str = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /items?page=2 HTTP/1.0" 200 2326 "http://a/b c" "A \"B\" [C]"

10.0.0.7 - - [10/Oct/2000:13:55:37 -0700] "POST /pay HTTP/1.1" 503 - "-" "curl"
"#;

    fn read(text: &str, format: LogFormat, name: &str) -> Result<Vec<String>, String> {
        field(text.as_bytes(), "a.log", format, name, 100)
    }

    #[test]
    fn the_fields_of_web_servers_are_found() {
        let of = |name| read(COMBINED_LINES, LogFormat::Combined, name).expect(name);
        assert_eq!(of("time"), ["10/Oct/2000:13:55:36 -0700", "10/Oct/2000:13:55:37 -0700"]);
        assert_eq!(
            (of("method"), of("path")),
            (vec!["GET".into(), "POST".into()], vec!["/items".into(), "/pay".into()])
        );
        assert_eq!((of("status"), of("user")), (vec!["200".into(), "503".into()], vec!["frank".into(), "-".into()]));
        assert_eq!(of("agent"), [r#"A "B" [C]"#, "curl"]);
        // A combined line is a common one, too.
        assert_eq!(read(COMBINED_LINES, LogFormat::Common, "bytes").expect("there are"), ["2326", "-"]);
    }

    #[test]
    fn the_fields_of_objects_are_found() {
        let lines =
            "{\"at\": 12.5, \"http\": {\"route\": \"/a\"}}\n{\"at\": 13, \"http.route\": \"/b\"}\n{\"at\": null}\n";
        assert_eq!(read(lines, LogFormat::Json, "at").expect("there are"), ["12.5", "13", ""]);
        assert_eq!(read(lines, LogFormat::Json, "http.route").expect("there are"), ["/a", "/b", ""]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let why = |text: &str, format, name| read(text, format, name).expect_err("it is wrong");
        assert!(why("", LogFormat::Common, "agent").contains("has no field `agent`"));
        assert!(why("a b c\n", LogFormat::Common, "time").contains("line 1 of `a.log` has 3 of 7 fields"));
        assert!(why("{}\n5\n", LogFormat::Json, "at").contains("line 2 of `a.log` is no JSON object"));
        assert!(field("{}\n{}\n".as_bytes(), "a.log", LogFormat::Json, "at", 1).is_err());
    }
}
