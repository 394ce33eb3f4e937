//! Limits, another user and secrets, with real processes.

use aiflow_supervise::{Confinement, Limit, User, UserError};

use crate::support::{Place, exited, start, wait_for_number, wait_for_shim};

fn limited(limits: &[(Limit, u64)]) -> Confinement {
    Confinement { limits: limits.to_vec(), ..Confinement::default() }
}

#[test]
fn limits_hold_for_the_task_and_not_for_its_shim() {
    let place = Place::new();
    let mut launch = place.bash("ulimit -d; ulimit -n; ulimit -f; ulimit -t");
    launch.confinement = limited(&[
        (Limit::Memory, 512 << 20),
        (Limit::OpenFiles, 100),
        (Limit::FileSize, 1 << 20),
        (Limit::CpuTime, 60),
    ]);
    assert_eq!(exited(&place.run(&launch)), 0);
    // Memory and files in KiB.
    assert_eq!(place.log_text(), "out 524288\nout 100\nout 1024\nout 60\n");
}

#[test]
fn a_task_over_its_limits_ends_and_its_output_is_kept() {
    let place = Place::new();
    let script = "echo begun; head -c 3000000 /dev/zero > big; echo $?; stat -c %s big";
    let mut launch = place.bash(script);
    launch.confinement = limited(&[(Limit::FileSize, 65_536)]);
    assert_eq!(exited(&place.run(&launch)), 0);
    let text = place.log_text();
    assert!(text.contains("out begun\n") && text.contains("out 65536\n"), "{text}");

    let place = Place::new();
    let mut launch = place.command("python3", &["-c", "x = bytearray(400 << 20)"]);
    launch.confinement = limited(&[(Limit::Memory, 200 << 20)]);
    assert_eq!(exited(&place.run(&launch)), 1);
    assert!(place.log_text().contains("MemoryError"), "{}", place.log_text());
}

#[test]
fn what_the_kernel_does_not_enforce_is_said() {
    let limits = [(Limit::Processes, 10), (Limit::OpenFiles, 10)];
    let mut confinement = limited(&limits);
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(confinement.unenforced().is_empty(), !is_root);
    if let Ok(nobody) = User::find("nobody") {
        confinement.user = Some(nobody);
        assert!(confinement.unenforced().is_empty());
    }
}

#[test]
fn another_user_has_its_own_groups_and_no_way_back() {
    assert!(matches!(User::find("no-such-user"), Err(UserError::Unknown { .. })));
    if !rustix::process::geteuid().is_root() {
        assert!(matches!(User::find("nobody"), Err(UserError::NotRoot { .. })));
        return;
    }
    let place = Place::new();
    let script = "id -u; id -G; cat /etc/shadow >/dev/null 2>&1 || echo refused; \
                  touch $W/x 2>/dev/null || echo private; \
                  grep -E '^(NoNewPrivs|CapEff)' /proc/self/status";
    let mut launch = place.bash(script);
    let nobody = User::find("nobody").unwrap();
    let groups: Vec<String> = nobody.groups.iter().map(u32::to_string).collect();
    let uid = nobody.uid;
    launch.confinement.user = Some(nobody);
    assert_eq!(exited(&place.run(&launch)), 0);
    let expected = format!(
        "out {uid}\nout {}\nout refused\nout private\n\
         out CapEff:\t0000000000000000\nout NoNewPrivs:\t1\n",
        groups.join(" ")
    );
    assert_eq!(place.log_text(), expected);
}

#[test]
fn a_task_of_another_user_ends_with_its_shim_and_on_request() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    let mut launch = place.bash("sleep 1000 & sleep 1000");
    launch.confinement.user = Some(User::find("nobody").unwrap());
    let (shim, _) = crate::support::start_released(&launch);
    crate::support::kill(&shim);
    wait_for_shim(&shim);
    assert!(matches!(place.inspect(), aiflow_supervise::Evidence::Lost { .. }));
    assert_eq!(place.processes(), [0_u32; 0]);
}

#[test]
fn a_secret_reaches_its_task_and_nothing_else() {
    const SECRET: &str = "correct-horse-battery-staple";
    let place = Place::new();
    let file = place.path("key");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let script = "cat $KEY_FILE; printf 'in the '; cat $KEY_FILE | tr -d '\\n'; \
                  [ \"$(cat $KEY_FILE)\" = \"$(cat $W/key)\" ] && echo ' same'; \
                  base64 < $KEY_FILE >&2; \
                  echo $$ > $W/n && mv $W/n $W/pid; read -t 1000 < $W/go";
    let mut launch = place.bash(script);
    launch.confinement.secrets = vec![("KEY_FILE".to_owned(), file)];
    let go = place.path("go");
    let made = std::process::Command::new("mkfifo").arg(&go).status().unwrap();
    assert!(made.success());
    let launched = start(&launch);
    let pid = wait_for_number(&place.path("pid"));
    let shim = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let shim: u32 = shim.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    for process in [pid, shim] {
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{process}/{file}")).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!text.contains(SECRET), "{file} of {process}: {text}");
        }
    }
    std::fs::write(&go, "go\n").unwrap();
    wait_for_shim(&launched.shim);
    assert_eq!(exited(&place.ended()), 0);
    let text = place.log_text();
    assert!(text.contains("out ***\nout in the *** same\n"), "{text}");
    assert!(text.contains("err ***"), "{text}");
    for entry in std::fs::read_dir(place.directory()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("horse"));
    }
}

#[test]
fn a_secret_that_cannot_be_read_starts_nothing() {
    let place = Place::new();
    let mut launch = place.bash("touch $W/witness");
    launch.confinement.secrets = vec![("KEY_FILE".to_owned(), place.path("missing"))];
    let exit = place.run(&launch);
    let aiflow_supervise::Outcome::SpawnFailed { message, .. } = &exit.outcome else {
        panic!("{exit:?}")
    };
    assert_eq!(message, "read a secret: No such file or directory");
    assert!(!place.path("witness").exists());
}
