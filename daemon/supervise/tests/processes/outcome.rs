//! How tasks end, and what they are given.

use std::ffi::OsString;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt;

use aiflow_supervise::{
    Evidence, ForkServer, Launch, LaunchError, Outcome, Report, launch, parse_report, read_outcome,
};

use crate::support::{
    Place, exited, read_report, server, start, start_released, wait_for_shim, wait_until,
};

#[test]
fn the_exit_code_is_told() {
    for code in [0, 1, 42, 255] {
        let place = Place::new();
        let exit = place.run(&place.bash(&format!("exit {code}")));
        assert_eq!(exited(&exit), code);
        assert!(!exit.stop_requested && !exit.killed_after_grace);
        assert_eq!((exit.log_bytes_dropped, exit.left_behind), (0, 0));
    }
}

#[test]
fn the_signal_is_told() {
    for signal in [9, 15, 11] {
        let place = Place::new();
        let exit = place.run(&place.bash(&format!("kill -{signal} $$")));
        assert_eq!(exit.outcome, Outcome::Signaled { signal });
    }
}

#[test]
fn what_was_used_is_told() {
    let place = Place::new();
    let exit = place.run(&place.bash("for ((i = 0; i < 100000; i++)); do :; done"));
    assert!(exit.user_cpu_micros > 1000, "{exit:?}");
    assert!(exit.max_rss_bytes > 1 << 20, "{exit:?}");
    assert!(exit.ended_unix_micros > 1_600_000_000_000_000, "{exit:?}");
}

#[test]
fn a_program_that_cannot_be_executed_is_a_failed_spawn() {
    let place = Place::new();
    std::fs::write(place.path("text"), "x").unwrap();
    std::fs::set_permissions(place.path("text"), PermissionsExt::from_mode(0o600)).unwrap();
    let text = place.path("text").into_os_string().into_string().unwrap();
    for (program, errno, words) in [
        ("no-such-program", 2, "exec: No such file or directory"),
        ("/no/such/program", 2, "exec: No such file or directory"),
        (text.as_str(), 13, "exec: Permission denied"),
    ] {
        let place = Place::new();
        let exit = place.run(&place.command(program, &[]));
        let message = words.to_owned();
        assert_eq!(exit.outcome, Outcome::SpawnFailed { errno, message });
        assert!(place.directory().join("released").exists());
    }
}

#[test]
fn more_than_the_kernel_takes_is_a_failed_spawn() {
    let place = Place::new();
    let mut request = place.bash("echo x >> $W/witness");
    request.environment.push(("HUGE".into(), "x".repeat(1 << 20).into()));
    let exit = place.run(&request);
    let message = "exec: Argument list too long".to_owned();
    assert_eq!(exit.outcome, Outcome::SpawnFailed { errno: 7, message });
    assert_eq!(place.witnesses(), 0);
}

#[test]
fn a_shim_that_cannot_write_fails_and_runs_nothing() {
    let place = Place::new();
    let request = place.bash("echo x >> $W/witness");
    std::fs::create_dir_all(place.directory().join("released")).unwrap();
    std::fs::set_permissions(place.directory(), PermissionsExt::from_mode(0o700)).unwrap();
    let launched = start(&request);
    let report = parse_report(&read_report(launched.report)).unwrap();
    assert!(matches!(report, Report::Failed { .. }), "{report:?}");
    wait_for_shim(&launched.shim);
    let exit = read_outcome(&place.directory()).unwrap().unwrap();
    assert!(matches!(exit.outcome, Outcome::SpawnFailed { .. }), "{exit:?}");
    assert!(matches!(place.inspect(), Evidence::Ended(_)));
    assert_eq!(place.witnesses(), 0);
}

#[test]
fn the_environment_is_as_given_and_the_loaders_variables_do_not_touch_the_shim() {
    let place = Place::new();
    // A task is shown its environment as the kernel holds it.
    let mut request = place.command("sh", &["-c", "cat /proc/$$/environ | tr '\\0' '\\n'; :"]);
    request.environment = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("EMPTY".into(), OsString::new()),
        ("SPACES and = signs".replace(" = ", " ").into(), "a = b ".into()),
        ("LD_LIBRARY_PATH".into(), "/no/such/place".into()),
        ("MALLOC_ARENA_MAX".into(), "1".into()),
        ("AIFLOW_ATTEMPT_ID".into(), "a lie".into()),
    ];
    let exit = place.run(&request);
    assert_eq!(exited(&exit), 0);
    let mut lines: Vec<_> = place
        .log_text()
        .lines()
        .map(|line| line.strip_prefix("out ").unwrap().to_owned())
        .collect();
    lines.sort();
    let directory = place.directory().canonicalize().unwrap();
    let mut expected = vec![
        format!("AIFLOW_ATTEMPT_DIRECTORY={}", directory.display()),
        format!("AIFLOW_ATTEMPT_ID={}", place.attempt),
        "EMPTY=".to_owned(),
        "LD_LIBRARY_PATH=/no/such/place".to_owned(),
        "MALLOC_ARENA_MAX=1".to_owned(),
        "PATH=/usr/bin:/bin".to_owned(),
        "SPACES and signs=a = b ".to_owned(),
    ];
    expected.sort();
    assert_eq!(lines, expected);

    let place = Place::new();
    let mut request = place.bash("until [ -e $W/go ]; do :; done");
    request.environment.push(("LD_PRELOAD_NOT".into(), "1".into()));
    let (shim, _) = start_released(&request);
    let environment = std::fs::read(format!("/proc/{}/environ", shim.pid())).unwrap();
    assert_eq!(String::from_utf8(environment).unwrap(), "", "none of the task's");
    std::fs::write(place.path("go"), "").unwrap();
    wait_for_shim(&shim);
}

#[test]
fn arguments_and_working_directory_are_as_given() {
    let place = Place::new();
    let mut request = place.command("printf", &["%s\\n", "--", "a b", "", "ü"]);
    request.program = "printf".into();
    assert_eq!(exited(&place.run(&request)), 0);
    assert_eq!(place.log_text(), "out --\nout a b\nout \nout ü\n");

    let place = Place::new();
    let mut request = place.command("/bin/pwd", &["-P"]);
    request.working_directory = "/".into();
    place.run(&request);
    assert_eq!(place.log_text(), "out /\n");
}

#[test]
fn the_task_gets_three_descriptors_and_no_more() {
    let place = Place::new();
    // One that the daemon forgot to mark: it must not reach the task either.
    let leak = std::fs::File::open("/dev/zero").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let exit = place.run(&place.command("ls", &["-l", "/proc/self/fd"]));
    assert_eq!(exited(&exit), 0);
    let text = place.log_text();
    let links: Vec<_> = text.lines().filter_map(|line| line.split_once(" -> ")).collect();
    assert!(leak.as_raw_fd() > 2);
    // The fourth is the directory that `ls` itself reads.
    assert_eq!(links.len(), 4, "{text}");
    assert!(links[0].0.ends_with(" 0") && links[0].1 == "/dev/null", "{text}");
    assert!(links[1].1.starts_with("pipe:") && links[2].1.starts_with("pipe:"), "{text}");
    assert!(links[3].1.starts_with("/proc/"), "{text}");
}

#[test]
fn the_task_starts_clean() {
    let place = Place::new();
    let exit = place.run(&place.bash(
        "umask; grep -E 'NoNewPrivs|SigBlk|SigIgn' /proc/self/status; \
         read -r _ _ _ _ group _ < /proc/$$/stat; [ $group = $$ ] && echo own group; \
         tty -s || echo no terminal",
    ));
    assert_eq!(exited(&exit), 0);
    let text = place.log_text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "out 0077",
            "out SigBlk:\t0000000000000000",
            "out SigIgn:\t0000000000000000",
            "out NoNewPrivs:\t1",
            "out own group",
            "out no terminal"
        ]
    );
    let mode = |name: &str| {
        std::fs::metadata(place.directory().join(name)).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(mode(""), 0o700);
    assert_eq!(["claim", "released", "exit", "output.log"].map(mode), [0o600; 4]);
}

#[test]
fn what_cannot_be_launched_is_refused_with_its_reason() {
    let place = Place::new();
    let good = place.bash("echo x >> $W/witness");
    let changes: [fn(&mut Launch); 8] = [
        |request| request.attempt = String::new(),
        |request| request.attempt = "two\nlines".to_owned(),
        |request| request.log_bytes_max = 1,
        |request| request.log_files_max = 0,
        |request| request.program = OsString::new(),
        |request| request.arguments.push("a\0b".into()),
        |request| request.grace = std::time::Duration::MAX,
        |request| request.environment.push(("A=B".into(), "c".into())),
    ];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(matches!(launch(server(), &bad), Err(LaunchError::Invalid { .. })), "{bad:?}");
        assert!(!place.directory().join("claim").exists());
    }
    let mut bad = good.clone();
    bad.working_directory = place.path("missing");
    assert!(matches!(launch(server(), &bad), Err(LaunchError::WorkingDirectory { .. })));
    let missing = ForkServer::start(place.path("missing"), Vec::new()).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    let mut bad = good.clone();
    bad.environment.push(("HUGE".into(), "x".repeat(8 << 20).into()));
    assert!(matches!(launch(server(), &bad), Err(LaunchError::Spawn { .. })));
    let mut bad = good.clone();
    bad.directory = place.path("no/such/parent");
    assert!(matches!(launch(server(), &bad), Err(LaunchError::Directory(_))));

    // None of them has claimed the attempt; this one does.
    assert_eq!(exited(&place.run(&good)), 0);
    assert!(matches!(launch(server(), &good), Err(LaunchError::AlreadyClaimed { .. })));
    assert_eq!(place.witnesses(), 1);
}

#[test]
fn an_ended_shim_leaves_nothing_in_the_process_table() {
    let place = Place::new();
    let (shim, task) = start_released(&place.bash("exit 0"));
    wait_for_shim(&shim);
    let gone = |pid| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    wait_until("both numbers to be free", || gone(shim.pid()) && gone(task));
    // Asking an ended shim for anything is no error.
    shim.stop().unwrap();
    shim.kill_group().unwrap();
    shim.reap().unwrap();
}
