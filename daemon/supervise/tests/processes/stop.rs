//! Stopping tasks, and what is left of them when they end.

use std::time::{Duration, Instant};

use aiflow_supervise::{Evidence, Outcome};
use rustix::process::Signal;

use crate::support::{
    Place, exited, is_running, pidfd, signal, start, start_released, wait_for_number,
    wait_for_shim, wait_readable, wait_until,
};

/// Starts a process that forks and ends, over and over, each time in a new session.
pub(crate) const HOPPING: &str = "export HOP='echo x >> $W/hops; setsid bash -c \"$HOP\" & exit'
    bash -c \"$HOP\"";

#[test]
fn a_task_that_follows_sigterm_ends_in_its_own_way() {
    let place = Place::new();
    let script =
        "trap 'echo bye; exit 5' TERM; echo > $W/ready; while :; do read -t 1 < /dev/zero; done";
    let (shim, _) = start_released(&place.bash(script));
    wait_until("the trap", || place.path("ready").exists());
    shim.stop().unwrap();
    shim.stop().unwrap();
    wait_for_shim(&shim);
    let exit = place.ended();
    assert_eq!(exited(&exit), 5);
    assert!(exit.stop_requested && !exit.killed_after_grace);
    assert_eq!(place.log_text(), "out bye\n");
}

#[test]
fn sigterm_reaches_the_whole_group_and_a_halted_task() {
    let place = Place::new();
    let (shim, task) =
        start_released(&place.bash("sleep 1000 & echo $! > $W/t; mv $W/t $W/p; wait"));
    let sleeper = pidfd(wait_for_number(&place.path("p")));
    signal(pidfd(task), Signal::STOP);
    shim.stop().unwrap();
    wait_readable(&sleeper, "the background process");
    wait_for_shim(&shim);
    let exit = place.ended();
    assert_eq!(exit.outcome, Outcome::Signaled { signal: 15 });
    assert!(!exit.killed_after_grace);
}

#[test]
fn a_task_that_does_not_follow_is_killed_after_the_grace() {
    let place = Place::new();
    let mut request = place.bash("trap '' TERM; echo > $W/ready; while :; do :; done");
    request.grace = Duration::from_millis(150);
    let (shim, _) = start_released(&request);
    wait_until("the trap", || place.path("ready").exists());
    let asked = Instant::now();
    shim.stop().unwrap();
    wait_for_shim(&shim);
    assert!(asked.elapsed() >= Duration::from_millis(150));
    let exit = place.ended();
    assert_eq!(exit.outcome, Outcome::Signaled { signal: 9 });
    assert!(exit.stop_requested && exit.killed_after_grace);
}

#[test]
fn a_kill_does_not_wait_for_the_grace() {
    let place = Place::new();
    let (shim, _) =
        start_released(&place.bash("trap '' TERM; echo > $W/ready; while :; do :; done"));
    wait_until("the trap", || place.path("ready").exists());
    shim.stop().unwrap();
    shim.kill_group().unwrap();
    wait_for_shim(&shim);
    let exit = place.ended();
    assert_eq!(exit.outcome, Outcome::Signaled { signal: 9 });
    assert!(exit.stop_requested && !exit.killed_after_grace);
}

#[test]
fn a_stop_at_any_moment_of_the_start_leaves_no_doubt() {
    let (mut never, mut ended) = (0, 0);
    for turn in 0..60_u64 {
        let place = Place::new();
        let launched = start(&place.bash("echo x >> $W/witness; sleep 1000"));
        spin(Duration::from_micros(turn * 50));
        launched.shim.stop().unwrap();
        wait_for_shim(&launched.shim);
        match place.inspect() {
            Evidence::NeverStarted => {
                assert_eq!(place.witnesses(), 0);
                never += 1;
            }
            Evidence::Ended(exit) => {
                assert!(exit.stop_requested);
                assert_eq!(exit.outcome, Outcome::Signaled { signal: 15 });
                ended += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(never + ended, 60);
}

#[test]
fn nothing_of_a_task_outlives_it() {
    let place = Place::new();
    // One in the group, one in a session of its own, one whose parent has ended, one that has
    // closed its outputs.
    let script = "note() { echo $2 > $W/$1.t; mv $W/$1.t $W/$1; }
        sleep 1001 & note a $!
        setsid sleep 1002 & note b $!
        (setsid setsid sleep 1003 & note c $!)
        (trap '' TERM HUP; exec sleep 1004 >&- 2>&-) & note d $!
        exit 6";
    let (shim, _) = start_released(&place.bash(script));
    wait_for_shim(&shim);
    let exit = place.ended();
    assert_eq!((exited(&exit), exit.left_behind), (6, 0));
    for name in ["a", "b", "c", "d"] {
        assert!(!is_running(wait_for_number(&place.path(name))), "{name}");
    }
}

#[test]
fn a_process_that_keeps_moving_on_is_caught() {
    let place = Place::new();
    let script = format!("{HOPPING}; until [ -s $W/hops ]; do :; done; exit 2");
    let (shim, _) = start_released(&place.bash(&script));
    wait_for_shim(&shim);
    let exit = place.ended();
    assert_eq!((exited(&exit), exit.left_behind), (2, 0));
}

#[test]
fn orphans_are_reaped_while_the_task_runs() {
    let place = Place::new();
    let script = "for i in 1 2 3 4 5 6 7 8; do (true & ); done; echo > $W/ready
        until [ -e $W/go ]; do :; done";
    let (shim, task) = start_released(&place.bash(script));
    wait_until("the orphans", || place.path("ready").exists());
    let children = format!("/proc/{0}/task/{0}/children", shim.pid());
    wait_until("only the task to be left", || {
        std::fs::read_to_string(&children).unwrap().trim() == task.to_string()
    });
    std::fs::write(place.path("go"), "").unwrap();
    wait_for_shim(&shim);
}

/// Lets a moment pass that is shorter than any wait of the kernel's.
fn spin(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}
