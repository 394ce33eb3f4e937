//! The process that shims are forked from: they are ours, they outlive it, and an order that it
//! dies over is never taken for one that came to nothing.

use std::time::Instant;

use aiflow_supervise::{Evidence, ForkServer, LaunchError, launch};
use rustix::process::Signal;

use crate::support::{
    Place, SHIM, exited, kill, pidfd, processes, signal, wait_for_shim, wait_until,
};

const WITNESS: &str = "echo x >> $W/witness";

/// A server that can be told from those of other tests.
fn server(place: &Place) -> ForkServer {
    let mark = ("OF_TEST".into(), place.attempt.clone().into());
    ForkServer::start(SHIM.into(), vec![mark]).unwrap()
}

/// Its process, while it has one.
fn process(place: &Place) -> Option<u32> {
    let mark = format!("OF_TEST={}", place.attempt);
    processes(&mark).into_iter().find(|pid| shown(*pid) == ["--serve"])
}

/// Its process, as soon as that can be told.
fn wait_for_process(place: &Place) -> u32 {
    wait_until("the server", || process(place).is_some());
    process(place).unwrap()
}

/// The arguments that `ps` shows.
fn shown(pid: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).skip(1).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_shim_is_our_own_child_and_outlives_the_server() {
    let place = Place::new();
    let forks = server(&place);
    let shim = launch(&forks, &place.bash("sleep 1000")).unwrap().shim;
    wait_until("the release", || place.directory().join("released").exists());
    assert_eq!(parent(shim.pid()), std::process::id());
    assert_eq!(shown(shim.pid()), [place.attempt.as_str()]);
    drop(forks);
    assert_eq!(process(&place), None);
    assert!(matches!(place.inspect(), Evidence::Running { .. }));
    shim.stop().unwrap();
    wait_for_shim(&shim);
    assert!(place.ended().stop_requested);
    assert!(!std::path::Path::new(&format!("/proc/{}", shim.pid())).exists(), "it was reaped");
}

#[test]
fn a_server_that_died_between_two_orders_is_replaced() {
    let place = Place::new();
    let forks = server(&place);
    let one = Place::new();
    assert_eq!(exited(&one.run_by(&forks, &one.bash("exit 3"))), 3);
    let died = wait_for_process(&place);
    let held = pidfd(died);
    kill(&held);
    crate::support::wait_readable(&held, "the end of the server");
    let two = Place::new();
    assert_eq!(exited(&two.run_by(&forks, &two.bash("exit 4"))), 4);
    assert_ne!(wait_for_process(&place), died);
}

#[test]
fn a_server_killed_over_an_order_leaves_the_truth() {
    let (mut unknown, mut launched) = (0, 0);
    for turn in 0..300_u32 {
        let place = Place::new();
        let forks = server(&place);
        let victim = pidfd(wait_for_process(&place));
        let began = std::sync::Barrier::new(2);
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                began.wait();
                let begin = Instant::now();
                while begin.elapsed().as_micros() < u128::from(turn) * 2 {
                    std::hint::spin_loop();
                }
                kill(&victim);
            });
            began.wait();
            launch(&forks, &place.bash(WITNESS))
        });
        match result {
            Ok(started) => {
                wait_for_shim(&started.shim);
                assert!(matches!(place.inspect(), Evidence::Ended(_)));
                assert_eq!(place.witnesses(), 1);
                launched += 1;
            }
            Err(LaunchError::Unknown { .. }) => {
                match place.inspect() {
                    Evidence::Running { shim, .. } => wait_for_shim(&shim),
                    Evidence::NeverStarted | Evidence::Ended(_) => {}
                    other => panic!("{other:?}"),
                }
                let evidence = place.inspect();
                let ran = matches!(evidence, Evidence::Ended(_));
                assert!(ran || matches!(evidence, Evidence::NeverStarted), "{evidence:?}");
                assert_eq!(place.witnesses(), usize::from(ran));
                unknown += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    println!("launched {launched}, unknown {unknown}");
    assert!(launched > 0 && unknown > 0, "launched {launched}, unknown {unknown}");
}

#[test]
fn a_server_that_hangs_is_replaced_and_the_order_may_have_been_carried_out() {
    let place = Place::new();
    let forks = server(&place);
    let hung = pidfd(wait_for_process(&place));
    signal(&hung, Signal::STOP);
    let error = launch(&forks, &place.bash(WITNESS)).unwrap_err();
    assert!(matches!(error, LaunchError::Unknown { .. }), "{error:?}");
    crate::support::wait_readable(&hung, "the end of the server");
    assert!(matches!(place.inspect(), Evidence::NeverStarted));
    let next = Place::new();
    assert_eq!(exited(&next.run_by(&forks, &next.bash("exit 5"))), 5);
    assert_eq!(place.witnesses(), 0);
}
