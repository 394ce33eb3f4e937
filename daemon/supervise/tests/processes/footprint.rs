//! What a shim costs: memory and time. The limits hold for release builds; a debug build prints.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Place, read_report, start, start_released, wait_for_shim, wait_until};

fn private_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let of = |key: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    of("Private_Clean:") + of("Private_Dirty:")
}

#[test]
fn a_shim_is_small() {
    let place = Place::new();
    let script = "echo > $W/quiet; until [ -e $W/go ]; do :; done
        seq 1 300000; echo > $W/loud; until [ -e $W/end ]; do :; done";
    let (shim, _) = start_released(&place.bash(script));
    wait_until("the task", || place.path("quiet").exists());
    let quiet = private_bytes(shim.pid());
    std::fs::write(place.path("go"), "").unwrap();
    wait_until("the output", || place.path("loud").exists());
    let loud = private_bytes(shim.pid());
    std::fs::write(place.path("end"), "").unwrap();
    wait_for_shim(&shim);
    println!("private memory of a shim: {} KiB, {} KiB after output", quiet >> 10, loud >> 10);
    if !cfg!(debug_assertions) {
        assert!(loud.max(quiet) <= 1 << 20);
    }
}

#[test]
fn a_shim_with_nothing_to_do_does_not_wake_up() {
    let place = Place::new();
    let (shim, _) = start_released(&place.bash("echo hello; exec sleep 1000"));
    wait_until("the output", || place.directory().join("output.log").exists());
    let text =
        |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", shim.pid())).unwrap();
    // Asleep without a deadline: in a poll whose third argument is no time.
    wait_until("the shim to sleep", || {
        let call = text("syscall");
        let fields: Vec<_> = call.split(' ').collect();
        fields.len() > 3 && fields[3] == "0x0"
    });
    let switches = || {
        let status = text("status");
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = switches();
    let other = Place::new();
    other.run(&other.bash("sleep 0.2"));
    assert_eq!(switches(), before);
    shim.stop().unwrap();
    wait_for_shim(&shim);
}

#[test]
fn starting_through_a_shim_costs_about_one_spawn_more() {
    let (mut spawned, mut reported, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    let mut bare = Vec::new();
    for _ in 0..100 {
        let begin = Instant::now();
        Command::new("/bin/true").stdin(Stdio::null()).status().unwrap();
        bare.push(begin.elapsed());

        let place = Place::new();
        let request = place.command("/bin/true", &[]);
        let begin = Instant::now();
        let launched = start(&request);
        spawned.push(begin.elapsed());
        read_report(launched.report);
        reported.push(begin.elapsed());
        wait_for_shim(&launched.shim);
        ended.push(begin.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    println!("bare spawn and end of `true`: {:?}", median(&mut bare));
    println!("launch returns: {:?}", median(&mut spawned));
    println!("task released: {:?}", median(&mut reported));
    println!("shim of `true` ended: {:?}", median(&mut ended));
}

#[test]
fn starts_per_second_eight_at_once() {
    let rate = |start_one: &(dyn Fn() + Sync)| {
        const EACH: u32 = 40;
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..EACH).for_each(|_| start_one()));
            }
        });
        f64::from(8 * EACH) / begin.elapsed().as_secs_f64()
    };
    let bare = rate(&|| {
        Command::new("/bin/bash").args(["-c", ":"]).stdin(Stdio::null()).status().unwrap();
    });
    let places: Vec<Place> = (0..320).map(|_| Place::new()).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let shims = rate(&|| {
        let place = &places[next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)];
        wait_for_shim(&start(&place.command("/bin/bash", &["-c", ":"])).shim);
    });
    println!("bash -c : bare {bare:.0}/s, through shims {shims:.0}/s, {:.2}", shims / bare);
}
