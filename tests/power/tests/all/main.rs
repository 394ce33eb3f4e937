//! Real power cuts: a log is written by a process of its own on a real file system, which is shut
//! down at a random moment; the process is killed, the device detached, the journal replayed, and
//! what is there is judged by what was told. The same log goes on through all cuts.
//!
//! Needs root, loop devices and ext4; says so on standard error where it is skipped.
#![cfg(test)]

mod disk;
mod judge;

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use aiflow_log::testing::Rng;
use aiflow_power::Message;

use disk::{Cut, Disk, MOUNTS};
use judge::Judge;

const CUTS: u64 = 300;
const SEGMENT_BYTES: [u64; 5] = [4 << 10, 8 << 10, 16 << 10, 64 << 10, 256 << 10];
/// A fresh start of everything after so many cuts.
const CUTS_PER_LOG: u64 = 100;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// To standard error itself: the harness hides what a test that passes prints.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One life of the writer. Killed and waited for when dropped, so that the disk can be unmounted.
struct Writer {
    child: Child,
    messages: Receiver<Message>,
}

impl Writer {
    fn start(disk: &Disk, seed: u64, life: u64, segment_bytes: u64) -> Self {
        let numbers = [seed, life, segment_bytes].map(|number| number.to_string());
        let mut child = Command::new(env!("CARGO_BIN_EXE_power-writer"))
            .arg(disk.home())
            .args(numbers)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = Message::read(&mut out).unwrap() {
                let _ = sender.send(message);
            }
        });
        Self { child, messages }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets the log be written for a while, which may end while it is still being opened, and cuts.
fn live(disk: &mut Disk, judge: &mut Judge, rng: &mut Rng, seed: u64, life: u64) {
    let segment_bytes = SEGMENT_BYTES[rng.below(SEGMENT_BYTES.len() as u64) as usize];
    let mut writer = Writer::start(disk, seed, life, segment_bytes);
    let spent = if rng.one_in(5) { rng.below(6_000) } else { rng.below(120_000) };
    let until = Instant::now() + Duration::from_micros(spent);
    loop {
        match writer.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Failed) => panic!("life {life} failed before the cut"),
            Ok(message) => judge.hear(life, message),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => panic!("life {life} ended before the cut"),
        }
    }
    let (cut, tear) = match rng.below(10) {
        0 => (Cut::Nothing, 0),
        1 => (Cut::Data, 0),
        2 | 3 => (Cut::Data, rng.next_u64() | 1),
        4 | 5 => (Cut::All, rng.next_u64() | 1),
        _ => (Cut::All, 0),
    };
    judge.cut_at(disk.cut(cut, tear).unwrap());
    let _ = writer.child.kill();
    writer.child.wait().unwrap();
    // All that it had told before it died.
    writer.messages.iter().for_each(|message| judge.hear(life, message));
}

#[test]
fn a_log_survives_power_cuts() {
    let seed = setting("AIFLOW_POWER_SEED").unwrap_or(1);
    let cuts = setting("AIFLOW_POWER_CUTS").unwrap_or(CUTS);
    let again =
        format!("AIFLOW_POWER_SEED={seed} AIFLOW_POWER_CUTS={cuts} cargo test -p aiflow-power");
    println!("repeat (the moments of the cuts differ): {again}");
    let begin = Instant::now();
    let mut rng = Rng::new(seed);
    let (mut totals, mut came_back) = (Vec::new(), 0);
    let mut done = 0;
    while done < cuts {
        let mut disk = match Disk::new() {
            Ok(disk) => disk,
            Err(why) if done == 0 && setting("AIFLOW_POWER_REQUIRED").is_none() => {
                say(&format!("SKIPPED: no power was cut on this machine: {why}"));
                return;
            }
            Err(why) => panic!("{why}"),
        };
        let mut judge = Judge::new(seed);
        for _ in 0..CUTS_PER_LOG.min(cuts - done) {
            done += 1;
            let options = MOUNTS[rng.below(MOUNTS.len() as u64) as usize];
            disk.mount(options).unwrap();
            // Else the writer opens the log first, and the power may be cut again while it does.
            judge.judge(&disk.home(), rng.one_in(2));
            judge.begin(options);
            live(&mut disk, &mut judge, &mut rng, seed, done);
            disk.unmount();
        }
        disk.mount(MOUNTS[0]).unwrap();
        judge.judge(&disk.home(), true);
        disk.unmount();
        came_back += judge.came_back.len();
        totals.push(judge.counts);
    }
    let sum = |count: fn(&judge::Counts) -> u64| totals.iter().map(count).sum::<u64>();
    say(&format!(
        "{done} power cuts in {:.0} s: {} records acknowledged, 0 lost, 0 invented; {} more were \
         there, {} gone; {} read back; {} snapshots installed",
        begin.elapsed().as_secs_f64(),
        sum(|c| c.acknowledged),
        sum(|c| c.unacknowledged_kept),
        sum(|c| c.unacknowledged_gone),
        sum(|c| c.records_read),
        sum(|c| c.snapshots),
    ));
    say(&format!(
        "{} torn tails; the cut came {} times while opening, {} times right after a rotation, {} \
         times while a snapshot was installed; {} times a file in the making was left; {} \
         acknowledgements came after the cut; {} removed snapshots came back damaged",
        sum(|c| c.torn),
        sum(|c| c.before_opened),
        sum(|c| c.after_rotation),
        sum(|c| c.during_snapshot),
        sum(|c| c.cut_work),
        sum(|c| c.late),
        came_back,
    ));
    say(&format!(
        "{} segments compressed, {} records dropped with theirs; the cut came {} times while one was \
         compressed, {} times while some were dropped; {} times a segment was there in both forms; \
         {} compressed ones read back",
        sum(|c| c.compressed),
        sum(|c| c.dropped),
        sum(|c| c.during_compression),
        sum(|c| c.during_drop),
        sum(|c| c.both_forms),
        sum(|c| c.compressed_read),
    ));
    assert!(sum(|c| c.acknowledged) > done * 20, "the log was hardly written");
}
