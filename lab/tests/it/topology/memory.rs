//! What services of random systems have in memory.

use super::Choices;

/// What the last service has in memory, how that is collected, and what becomes of it when that is too much.
pub(super) fn perhaps(c: &mut Choices<'_>, text: &mut String, nth: usize) {
    if !c.once_in(2) {
        return;
    }
    text.push_str(c.of(&[
        "    memory: {base: 1MB, per_call: 20KB}\n",
        "    memory: {limit: 2MB, per_call: 300KB}\n",
        "    memory: {limit: 40MB, request: 1MB, base: 1MB, per_call: 1MB, commit: reserved}\n",
        "    memory: {per_call: 10KB}\n    gc: {heap: 20MB, young: 500KB, pause: {exp: 1ms}, copy: 10MB/s}\n",
        "    memory: {limit: 400MB, request: 1MB, base: 1MB, per_call: 200KB}\n    gc: {heap: 4MB, start_at: 30%, copy: 20MB/s}\n",
        "    gc: {go: {copy: 10MB/s, pause: 3ms}}\n",
        "    listen: {backlog: 2}\n    threads_max: 6\n",
    ]));
    let at = text.rfind(&format!("  s{nth}:")).unwrap_or(0);
    if !text[at..].contains("replace_after") {
        text.push_str(c.of(&["    restart: {base: 300ms, max: 2s, reset: 4s}\n", ""]));
    }
    let allocates = c.of(&["        - {allocate: 100KB}\n", "        - {allocate: 1MB}\n", ""]);
    let mut service = text.split_off(at);
    if !service.contains("    hosts: box\n") {
        service = service.replace("request: 1MB, ", "");
    }
    let allocating = |op: &str| format!("      {op}:\n{allocates}");
    text.push_str(
        &service.replace("      default:\n", &allocating("default")).replace("      other:\n", &allocating("other")),
    );
}

/// A host's cores and memory.
pub(super) fn host(c: &mut Choices<'_>) -> String {
    let cores =
        c.of(&["", "", ", scheduler: {slice: 2ms, switch: 20us}", ", credits: {rate: 0.5, max: 2s, start: 1s}"]);
    let memory = c.of(&[
        "",
        ", memory: 2GB",
        ", memory: 20MB",
        ", memory: {size: 200MB, commit: reserved}, ephemeral_ports: 5, time_wait: 2s",
    ]);
    format!("cores: 2{cores}{memory}")
}
