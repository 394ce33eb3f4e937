//! Who dies, and when.
//!
//! Must never touch a process that is not of the trial's own home.

use std::time::{Duration, Instant};

use aiflow_log::testing::Rng;
use aiflow_test_support::{Daemon, Kind, Process, latest_child, pause, processes_of};

/// Latest moment of a strike after the requests are out.
const MOMENT_MAX_US: u64 = 25_000;
/// How long a shim that is just being spawned is waited for.
const SPAWN_WAIT: Duration = Duration::from_millis(30);

/// What was killed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Killed {
    pub(crate) daemons: u64,
    /// Those of the daemons that had not come to serve.
    pub(crate) daemons_starting: u64,
    pub(crate) shims: u64,
    /// Those of the shims that had just been spawned.
    pub(crate) shims_spawning: u64,
    /// Processes that shims are forked from.
    pub(crate) servers: u64,
    pub(crate) tasks: u64,
}

impl Killed {
    pub(crate) fn add(&mut self, other: &Self) {
        self.daemons += other.daemons;
        self.daemons_starting += other.daemons_starting;
        self.shims += other.shims;
        self.shims_spawning += other.shims_spawning;
        self.servers += other.servers;
        self.tasks += other.tasks;
    }
}

/// Waits for a moment and kills: one, some or all, in any order. Says whether the daemon died.
pub(crate) fn strike(rng: &mut Rng, daemon: &mut Daemon, killed: &mut Killed) -> bool {
    let moment = Duration::from_micros(rng.below(MOMENT_MAX_US));
    if rng.one_in(2) {
        // During create: right after a spawn, within the time that the start protocol takes.
        let newborn = wait_for_spawn(daemon.pid());
        pause(Duration::from_micros(rng.below(2_000)));
        if let Some(shim) = newborn.filter(|_| rng.one_in(2)) {
            killed.shims_spawning += u64::from(kill(&shim, killed) && shim.kind == Kind::Shim);
        }
    } else {
        pause(moment);
    }
    // The daemon; a shim; a task; what shims are forked from; each pair; three; all four, of which
    // all are killed at times.
    let who = 1 + rng.below(15);
    let everyone = who == 15 && rng.one_in(3);
    let mut victims: Vec<Option<Process>> = Vec::new();
    if who & 14 != 0 {
        let mut processes = processes_of(&daemon.home());
        for (bit, kind) in [(2, Kind::Shim), (4, Kind::Task), (8, Kind::ForkServer)] {
            let group = processes.extract_if(.., |process| process.kind == kind).collect();
            if who & bit != 0 {
                victims.extend(choose(rng, group, everyone).into_iter().map(Some));
            }
        }
    }
    if who & 1 != 0 {
        victims.push(None);
    }
    shuffle(rng, &mut victims);
    let mut daemon_died = false;
    for victim in victims {
        match victim {
            None => {
                daemon.kill();
                killed.daemons += 1;
                daemon_died = true;
            }
            Some(process) => {
                kill(&process, killed);
            }
        }
        if rng.one_in(2) {
            pause(Duration::from_micros(rng.below(500)));
        }
    }
    daemon_died
}

/// Kills a process; false when it has ended before.
fn kill(process: &Process, killed: &mut Killed) -> bool {
    let died = process.kill();
    let count = match process.kind {
        Kind::Shim => &mut killed.shims,
        Kind::ForkServer => &mut killed.servers,
        Kind::Task => &mut killed.tasks,
    };
    *count += u64::from(died);
    died
}

/// The next child that the daemon has beside those that it has now; none if none comes.
fn wait_for_spawn(daemon: u32) -> Option<Process> {
    let before = latest_child(daemon).map(|child| child.pid);
    let begin = Instant::now();
    while begin.elapsed() < SPAWN_WAIT {
        match latest_child(daemon) {
            Some(child) if Some(child.pid) != before => return Some(child),
            _ => std::hint::spin_loop(),
        }
    }
    None
}

/// One to three of a group, or all of it.
fn choose(rng: &mut Rng, mut group: Vec<Process>, everyone: bool) -> Vec<Process> {
    shuffle(rng, &mut group);
    if !everyone {
        group.truncate(1 + rng.below(3) as usize);
    }
    group
}

fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last as u64 + 1) as usize);
    }
}
