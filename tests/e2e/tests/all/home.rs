//! Homes that are refused: in use, open to others, of a newer version, damaged, on a full disk.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use aiflow_model::exit_code;
use aiflow_test_support::{Daemon, program, run, wait_until};
use serde_json::json;

fn aiflowd(daemon: &Daemon) -> aiflow_test_support::Output {
    run(Command::new(program("aiflowd")).arg("--home").arg(daemon.home()))
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let daemon = Daemon::start();
    let second = aiflowd(&daemon);
    assert_eq!(second.code, i32::from(exit_code::HOME_BUSY), "{}", second.stderr);
    assert!(second.stderr.contains(&format!("process {}", daemon.pid())), "{}", second.stderr);
    assert!(second.stderr.contains("hint: "), "{}", second.stderr);
    assert!(daemon.socket().call("emit", &json!({"key": "k"})).is_ok());
}

#[test]
fn a_home_that_others_can_write_is_refused() {
    let daemon = Daemon::on_fresh_home();
    std::fs::create_dir(daemon.home()).unwrap();
    std::fs::set_permissions(daemon.home(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = aiflowd(&daemon);
    assert_eq!(refused.code, i32::from(exit_code::OPERATING));
    assert!(refused.stderr.contains("others can write it (mode 777)"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: chmod 700"), "{}", refused.stderr);
    assert_eq!(std::fs::read_dir(daemon.home()).unwrap().count(), 0, "nothing was written");
}

/// The one segment of a home whose daemon was stopped.
fn segment(daemon: &Daemon) -> std::path::PathBuf {
    daemon.home().join("log/00000000000000000000.log")
}

fn stopped_with_events(count: u32) -> Daemon {
    let mut daemon = Daemon::start();
    let mut socket = daemon.socket();
    for number in 0..count {
        socket.call("emit", &json!({"key": "k", "value": number})).unwrap();
    }
    daemon.kill();
    daemon
}

#[test]
fn a_log_of_a_newer_version_is_refused_and_untouched() {
    let daemon = stopped_with_events(3);
    let mut bytes = std::fs::read(segment(&daemon)).unwrap();
    // Version 99 with its checksum made anew, as docs/log-format.md says.
    bytes[8..12].copy_from_slice(&99_u32.to_le_bytes());
    let crc = crc32c(&[&bytes[..12], &bytes[16..64]].concat());
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(segment(&daemon), &bytes).unwrap();
    let refused = aiflowd(&daemon);
    assert_eq!(refused.code, i32::from(exit_code::LOG_REFUSED), "{}", refused.stderr);
    assert!(refused.stderr.contains("format version 99"), "{}", refused.stderr);
    assert_eq!(std::fs::read(segment(&daemon)).unwrap(), bytes);
}

/// CRC-32C (Castagnoli), bit by bit: a second opinion on the log's own.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 }
        })
    })
}

#[test]
fn damage_before_a_later_batch_halts_and_is_told_by_the_tools() {
    let daemon = stopped_with_events(5);
    let verified = daemon_tool(&daemon, &["log", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    let good = std::fs::read(segment(&daemon)).unwrap();
    let mut bytes = good.clone();
    let needle = b"\"value\":1";
    let at = bytes.windows(needle.len()).position(|part| part == needle).unwrap();
    bytes[at + 8] = b'7';
    std::fs::write(segment(&daemon), &bytes).unwrap();
    let refused = aiflowd(&daemon);
    assert_eq!(refused.code, i32::from(exit_code::LOG_REFUSED), "{}", refused.stderr);
    assert!(refused.stderr.contains("is damaged at position"), "{}", refused.stderr);
    assert!(refused.stderr.contains("log verify"), "{}", refused.stderr);
    assert_eq!(std::fs::read(segment(&daemon)).unwrap(), bytes, "nothing is cut away");
    let verified = daemon_tool(&daemon, &["log", "verify"]);
    assert_eq!(verified.code, i32::from(exit_code::LOG_REFUSED));
    assert!(verified.stdout.contains("DAMAGED"), "{}", verified.stdout);
    // The same damage at the very end is a commit that was never acknowledged.
    std::fs::write(segment(&daemon), &good).unwrap();
    let dump = daemon_tool(&daemon, &["log", "dump", "--from", "2"]);
    assert_eq!(dump.stdout.lines().count(), 5, "{}", dump.stdout);
    let last: serde_json::Value =
        serde_json::from_str(dump.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["record"]["EventEmitted"]["value"], 4);
}

fn daemon_tool(daemon: &Daemon, arguments: &[&str]) -> aiflow_test_support::Output {
    run(Command::new(program("aiflowd")).arg("--home").arg(daemon.home()).args(arguments))
}

/// A small file system as the home; none when it cannot be mounted here.
struct Disk {
    mount: std::path::PathBuf,
}

impl Disk {
    fn mount(daemon: &Daemon, size: &str) -> Option<Self> {
        let mount = daemon.home();
        std::fs::create_dir(&mount).unwrap();
        let options = format!("size={size},mode=0700");
        let mut command = Command::new("mount");
        let mounted = run(command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&mount));
        if mounted.code == 0 {
            return Some(Self { mount });
        }
        eprintln!("SKIPPED: a small file system cannot be mounted here: {}", mounted.stderr);
        None
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        let grown = run(Command::new("mount").args(["-o", &options]).arg(&self.mount));
        assert_eq!(grown.code, 0, "{}", grown.stderr);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a daemon may still be on it when a test has failed.
        run(Command::new("umount").arg("--lazy").arg(&self.mount));
    }
}

#[test]
fn a_full_disk_is_refused_with_its_reason() {
    let daemon = Daemon::on_fresh_home();
    let Some(_disk) = Disk::mount(&daemon, "1m") else { return };
    let refused = aiflowd(&daemon);
    assert_eq!(refused.code, i32::from(exit_code::OPERATING), "{}", refused.stderr);
    assert!(refused.stderr.contains("No space left on device"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: df -h"), "{}", refused.stderr);
}

#[test]
fn a_disk_that_fills_refuses_new_work_records_ends_and_resumes_by_itself() {
    let mut daemon = Daemon::on_fresh_home();
    let Some(disk) = Disk::mount(&daemon, "100m") else { return };
    daemon.resume();
    let gate = daemon.scratch().join("gate");
    let number = daemon.start_run(&format!(
        "workflow: w\ntasks: {{a: {{bash: 'while [ ! -e {} ]; do sleep 0.02; done'}}}}",
        gate.display()
    ));
    daemon.wait_for(number, "a", 1, "running");
    let mut socket = daemon.socket();
    let event = json!({"key": "k", "value": "x".repeat(1_000_000)});
    let refused = (0..100).find_map(|_| socket.call("emit", &event).err());
    let refused = refused.expect("100 MB of events do not fit on the disk");
    assert_eq!(refused["code"], "E0401", "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("df -h"), "{refused}");
    std::fs::write(&gate, "").unwrap();
    daemon.wait_for(number, "a", 1, "success");
    disk.grow("400m");
    wait_until("there is room again", || socket.call("emit", &event).ok());
    daemon.kill();
    daemon.resume();
    assert_eq!(daemon.executions(number)[0]["status"], "success");
}
