//! Who comes first: shims, tombstones, deaths. At most one exec, whatever happens when.

use std::process::Stdio;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use aiflow_supervise::{Evidence, LaunchError, Launched, Report, launch, parse_report};

use crate::support::{Place, kill, raw_shim, read_report, server, start, wait_for_shim};

const WITNESS: &str = "echo x >> $W/witness";

#[test]
fn of_racing_shims_exactly_one_executes() {
    for _ in 0..60 {
        let place = Place::new();
        std::fs::create_dir(place.directory()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(place.directory(), mode).unwrap();
        let mut shim = raw_shim(&place, "1", &["sh", "-c", WITNESS]);
        let shims: Vec<_> = (0..4).map(|_| shim.stdout(Stdio::null()).spawn().unwrap()).collect();
        let mut codes: Vec<_> =
            shims.into_iter().map(|mut shim| shim.wait().unwrap().code().unwrap()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 3, 3, 3]);
        assert_eq!(place.witnesses(), 1);
        assert!(matches!(place.inspect(), Evidence::Ended(_)));
    }
}

#[test]
fn of_racing_launches_exactly_one_executes() {
    for _ in 0..50 {
        let place = Place::new();
        let request = place.bash(WITNESS);
        let barrier = Barrier::new(3);
        let released = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        match launch(server(), &request) {
                            Ok(launched) => is_released(launched),
                            Err(LaunchError::AlreadyClaimed { .. }) => false,
                            Err(error) => panic!("{error:?}"),
                        }
                    })
                })
                .collect();
            tries.into_iter().map(|handle| usize::from(handle.join().unwrap())).sum::<usize>()
        });
        assert_eq!((released, place.witnesses()), (1, 1));
    }
}

#[test]
fn between_a_shim_and_a_tombstone_there_is_one_winner() {
    let (mut buried, mut ran) = (0, 0);
    for turn in 0..120_u64 {
        let place = Place::new();
        let launched = start(&place.bash(WITNESS));
        spin(Duration::from_micros(turn * 20));
        let evidence = place.inspect();
        let released = is_released(launched);
        match evidence {
            Evidence::NeverStarted => {
                assert!(!released);
                assert_eq!(place.witnesses(), 0);
                buried += 1;
            }
            Evidence::Running { .. } | Evidence::Ended(_) => {
                assert!(released);
                assert_eq!(place.witnesses(), 1);
                ran += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(buried > 0 && ran > 0, "both sides won: {buried} {ran}");
}

#[test]
fn a_shim_killed_at_any_moment_leaves_the_truth() {
    let (mut never, mut lost, mut ended) = (0, 0, 0);
    for turn in 0..300_u64 {
        let place = Place::new();
        let launched = start(&place.bash(WITNESS));
        spin(Duration::from_micros(turn * 13));
        kill(&launched.shim);
        // While it dies as well as after.
        let early = place.inspect();
        wait_for_shim(&launched.shim);
        let evidence = place.inspect();
        match evidence {
            Evidence::NeverStarted => {
                assert_eq!(read_report(launched.report), "");
                assert_eq!(place.witnesses(), 0);
                never += 1;
            }
            Evidence::Lost { .. } => {
                assert!(place.witnesses() <= 1);
                lost += 1;
            }
            Evidence::Ended(_) => {
                assert_eq!(place.witnesses(), 1);
                ended += 1;
            }
            other => panic!("{other:?}"),
        }
        match early {
            Evidence::Running { .. } => {}
            early => {
                let same =
                    std::mem::discriminant(&early) == std::mem::discriminant(&place.inspect());
                assert!(same, "{early:?}");
            }
        }
        let count = place.witnesses();
        let again = launch(server(), &place.bash(WITNESS));
        assert!(matches!(again, Err(LaunchError::AlreadyClaimed { .. })));
        assert_eq!(place.witnesses(), count);
    }
    println!("never started {never}, lost {lost}, ended {ended}");
    assert!(never > 0 && lost > 0, "never started {never}, lost {lost}, ended {ended}");
}

/// Waits for the end of the shim and says whether it was the one that released the task.
fn is_released(launched: Launched) -> bool {
    let line = read_report(launched.report);
    wait_for_shim(&launched.shim);
    match parse_report(&line).unwrap() {
        Report::Released(_) => true,
        Report::Refused { .. } => false,
        Report::Failed { errno, what } => panic!("{errno} {what}"),
    }
}

fn spin(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}
