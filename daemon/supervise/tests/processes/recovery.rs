//! What a reborn daemon finds, after every kind of death.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use aiflow_supervise::{BootId, Evidence, InspectError, Launch, Outcome, boot_id, inspect};
use rustix::process::Signal;

use crate::support::{
    Place, exited, is_running, kill, pidfd, raw_shim, signal, start, start_released,
    wait_for_number, wait_for_shim, wait_readable, wait_until,
};

const FAMILY: &str = "echo x >> $W/witness
    sleep 1000 & setsid sleep 1000 & echo $! > $W/t; mv $W/t $W/p; wait";

fn other_boot() -> BootId {
    BootId::parse("00000000-0000-0000-0000-000000000000").unwrap()
}

fn assert_lost(place: &Place) {
    let first = place.inspect();
    assert!(matches!(first, Evidence::Lost { .. }), "{first:?}");
    assert_eq!(place.processes(), [0_u32; 0]);
    let second = place.inspect();
    assert!(matches!(second, Evidence::Lost { killed: 0 }), "{second:?}");
}

#[test]
fn a_missing_directory_is_buried_and_a_late_shim_runs_nothing() {
    let place = Place::new();
    assert!(matches!(place.inspect(), Evidence::NeverStarted));
    assert!(matches!(place.inspect(), Evidence::NeverStarted));
    assert!(matches!(place.inspect_in(&other_boot()), Evidence::NeverStarted));
    // Not even when the library's own check is passed by: the shim alone decides.
    let witness = place.path("witness").into_os_string().into_string().unwrap();
    let output = raw_shim(&place, "1", &["touch", &witness]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.starts_with(b"refused "), "{output:?}");
    assert!(!place.path("witness").exists());
    assert!(matches!(place.inspect(), Evidence::NeverStarted));
}

#[test]
fn a_killed_shim_takes_its_task_along() {
    let place = Place::new();
    let (shim, task) = start_released(&place.bash(FAMILY));
    let task = pidfd(task);
    let sleeper = wait_for_number(&place.path("p"));
    kill(&shim);
    wait_for_shim(&shim);
    // The task dies by itself; the one that left its session is ended by recovery.
    wait_readable(&task, "the end of the task");
    assert!(is_running(sleeper));
    assert_lost(&place);
    assert!(!is_running(sleeper));
    assert_eq!(place.witnesses(), 1);
}

#[test]
fn a_shim_and_a_task_killed_together_are_lost() {
    let place = Place::new();
    let (shim, task) = start_released(&place.bash(FAMILY));
    let sleeper = wait_for_number(&place.path("p"));
    let task = pidfd(task);
    signal(&shim, Signal::STOP);
    kill(&task);
    kill(&shim);
    wait_for_shim(&shim);
    wait_readable(&task, "the end of the task");
    assert_lost(&place);
    assert!(!is_running(sleeper));
}

#[test]
fn recovery_catches_a_process_that_keeps_moving_on() {
    let place = Place::new();
    let script = format!("{}; sleep 1000", crate::stop::HOPPING);
    let (shim, _) = start_released(&place.bash(&script));
    wait_until("the first hop", || place.path("hops").exists());
    kill(&shim);
    wait_for_shim(&shim);
    assert_lost(&place);
}

#[test]
fn a_shim_refuses_what_it_does_not_understand() {
    let place = Place::new();
    let arguments = |protocol: &str| {
        let witness = place.path("witness").into_os_string().into_string().unwrap();
        let output = raw_shim(&place, protocol, &["touch", &witness]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(arguments("2"), (Some(2), "failed 22 arguments\n".to_owned()));
    // The directory is not there: the shim never creates one.
    let missing = "failed 2 open the attempt directory\n".to_owned();
    assert_eq!(arguments("1"), (Some(4), missing));
    assert!(!place.directory().exists() && !place.path("witness").exists());
}

#[test]
fn many_inspect_at_once_and_agree() {
    let place = Place::new();
    let all = std::thread::scope(|scope| {
        let inspections: Vec<_> = (0..8).map(|_| scope.spawn(|| place.inspect())).collect();
        inspections.into_iter().map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(all.iter().all(|evidence| matches!(evidence, Evidence::NeverStarted)), "{all:?}");

    let place = Place::new();
    let (launched, _) = start_released(&place.bash("sleep 1000"));
    let all = std::thread::scope(|scope| {
        let inspections: Vec<_> = (0..8).map(|_| scope.spawn(|| place.inspect())).collect();
        inspections.into_iter().map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(all.iter().all(|evidence| matches!(evidence, Evidence::Running { .. })), "{all:?}");
    kill(&launched);
    let all = std::thread::scope(|scope| {
        let inspections: Vec<_> = (0..8).map(|_| scope.spawn(|| place.inspect())).collect();
        inspections.into_iter().map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
    });
    for evidence in all {
        let settled = matches!(evidence, Evidence::Lost { .. } | Evidence::Running { .. });
        assert!(settled, "{evidence:?}");
    }
    wait_for_shim(&launched);
    assert_lost(&place);
}

#[test]
fn recovery_leaves_the_processes_of_others_alone() {
    let (place, other) = (Place::new(), Place::new());
    // The same attempt id in another directory: another daemon's.
    let mut request = other.bash(FAMILY);
    request.attempt.clone_from(&place.attempt);
    let (other_shim, _) = start_released(&request);
    let stranger = wait_for_number(&other.path("p"));
    let (shim, _) = start_released(&place.bash(FAMILY));
    wait_for_number(&place.path("p"));
    kill(&shim);
    wait_for_shim(&shim);
    assert_lost(&place);
    assert!(is_running(stranger) && !other_shim.has_ended().unwrap());
    other_shim.stop().unwrap();
    wait_for_shim(&other_shim);
}

#[test]
fn another_boot_is_an_interruption_unless_the_end_was_written() {
    let place = Place::new();
    let (shim, _) = start_released(&place.bash("sleep 1000"));
    kill(&shim);
    wait_for_shim(&shim);
    assert!(matches!(place.inspect_in(&other_boot()), Evidence::Interrupted));
    // Not even that nothing was released can be known: the file may not have reached the disk.
    std::fs::remove_file(place.directory().join("released")).unwrap();
    assert!(matches!(place.inspect_in(&other_boot()), Evidence::Interrupted));
    assert!(matches!(place.inspect(), Evidence::NeverStarted));
    std::fs::write(place.directory().join("exit"), "").unwrap();
    assert!(matches!(place.inspect_in(&other_boot()), Evidence::Interrupted));
    std::fs::write(place.directory().join("claim"), "").unwrap();
    assert!(matches!(place.inspect_in(&other_boot()), Evidence::Interrupted));

    let place = Place::new();
    place.run(&place.bash("exit 3"));
    let Evidence::Ended(exit) = place.inspect_in(&other_boot()) else { panic!() };
    assert_eq!(exited(&exit), 3);
}

#[test]
fn damage_and_mistaken_directories_are_errors_not_guesses() {
    let place = Place::new();
    place.run(&place.bash("exit 3"));
    let boot = boot_id().unwrap();
    let other = inspect(&place.directory(), "another", &boot);
    assert!(matches!(other, Err(InspectError::OtherAttempt { .. })), "{other:?}");
    for file in ["exit", "claim"] {
        let path = place.directory().join(file);
        let good = std::fs::read_to_string(&path).unwrap();
        for bad in [good.replace("shim 1", "shim 2"), good.replace("_", "-")] {
            std::fs::write(&path, bad).unwrap();
            let inspected = inspect(&place.directory(), &place.attempt, &boot);
            let damaged =
                matches!(&inspected, Err(InspectError::Damaged { file: f, .. }) if *f == file);
            assert!(damaged, "{inspected:?}");
        }
        std::fs::write(&path, good).unwrap();
    }
    assert!(matches!(place.inspect(), Evidence::Ended(_)));
}

#[test]
fn a_halted_shim_is_running_and_can_be_stopped() {
    let place = Place::new();
    let (launched, _) = start_released(&place.bash("sleep 1000"));
    signal(&launched, Signal::STOP);
    let Evidence::Running { shim, released } = place.inspect() else { panic!() };
    assert_eq!(shim.pid(), launched.pid());
    assert!(released.is_some());
    shim.stop().unwrap();
    signal(&launched, Signal::CONT);
    wait_for_shim(&shim);
    assert_eq!(place.ended().outcome, Outcome::Signaled { signal: 15 });
}

/// Not a test by itself: the daemon that dies. Another test runs this executable again with the
/// directory in a variable.
#[test]
fn helper_launches_and_ends() {
    let Some(directory) = std::env::var_os("SUPERVISE_TEST_DIRECTORY") else { return };
    let request = Launch {
        directory: PathBuf::from(directory),
        attempt: std::env::var("SUPERVISE_TEST_ATTEMPT").unwrap(),
        ..Place::new()
            .bash("trap 'exit 9' TERM; echo > ready; while :; do read -t 1 < /dev/zero; done")
    };
    let working_directory = request.directory.parent().unwrap().to_owned();
    start(&Launch { working_directory, ..request });
    // No destructors, no goodbye: the daemon is killed.
    rustix::process::kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
}

#[test]
fn a_reborn_daemon_adopts_stops_and_reads_the_end() {
    let place = Place::new();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "recovery::helper_launches_and_ends"])
        .env("SUPERVISE_TEST_DIRECTORY", place.directory())
        .env("SUPERVISE_TEST_ATTEMPT", &place.attempt)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "the helper was killed");
    wait_until("the task", || place.path("ready").exists());
    let Evidence::Running { shim, released } = place.inspect() else { panic!() };
    assert!(released.unwrap().process.is_alive().unwrap());
    let Evidence::Running { shim: again, .. } = place.inspect() else { panic!() };
    assert_eq!(shim.pid(), again.pid());
    assert!(!shim.has_ended().unwrap());
    shim.stop().unwrap();
    wait_for_shim(&shim);
    let exit = place.ended();
    assert_eq!(exited(&exit), 9);
    assert!(exit.stop_requested);
    assert_eq!(place.ended(), exit);
}

#[test]
fn a_task_that_ended_while_no_daemon_lived_is_found_ended() {
    let place = Place::new();
    let launched = start(&place.bash("exit 4"));
    // Nobody reads the report.
    drop(launched.report);
    wait_for_shim(&launched.shim);
    assert_eq!(exited(&place.ended()), 4);
}
