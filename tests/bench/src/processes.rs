//! What the kernel tells about processes.
//!
//! Must never disturb what it looks at: it only reads.

use std::collections::BTreeMap;
use std::fs::read_to_string;

use anyhow::Context;

/// A field of `/proc/PID/FILE`, such as `VmRSS` in KiB.
pub(crate) fn field(pid: u32, file: &str, name: &str) -> anyhow::Result<u64> {
    let text = read_to_string(format!("/proc/{pid}/{file}"))?;
    parse_field(&text, name).with_context(|| format!("no {name} in {file} of process {pid}"))
}

fn parse_field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// How often each thread of a process has gone to sleep by itself.
pub(crate) fn sleeps(pid: u32) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut sleeps = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let entry = entry?;
        // A thread may end while this looks.
        let Ok(text) = read_to_string(entry.path().join("status")) else { continue };
        let count = parse_field(&text, "voluntary_ctxt_switches").unwrap_or(0);
        sleeps.insert(entry.file_name().to_string_lossy().into_owned(), count);
    }
    Ok(sleeps)
}

/// Wake-ups between two counts: each is followed by a sleep, or by the thread's end.
pub(crate) fn wake_ups(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
    let gone = before.keys().filter(|thread| !after.contains_key(*thread)).count();
    let slept: u64 = after
        .iter()
        .map(|(thread, count)| count.saturating_sub(before.get(thread).copied().unwrap_or(0)))
        .sum();
    slept + gone as u64
}

/// Processor time of a process with all its threads, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let ticks = stat(pid, 11)? + stat(pid, 12)?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(crate::figures::number(ticks) / crate::figures::number(per_second))
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> anyhow::Result<u32> {
    Ok(u32::try_from(stat(pid, 1)?)?)
}

/// A number of `/proc/PID/stat`, counted after the program's name.
fn stat(pid: u32, at: usize) -> anyhow::Result<u64> {
    let text = read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, so what counts begins after its last bracket.
    let (_, rest) = text.rsplit_once(") ").context("stat has no name")?;
    Ok(rest.split(' ').nth(at).context("stat is short")?.parse()?)
}
