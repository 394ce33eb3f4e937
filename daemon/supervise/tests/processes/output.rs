//! What tasks write, as the log has it.

use aiflow_supervise::{Stream, output_file_name, parse_piece};

use crate::support::{Place, exited, limited_server, start_released, wait_for_shim};

#[test]
fn both_streams_are_tagged_and_unfinished_lines_are_marked() {
    let place = Place::new();
    let script = "echo one; echo two >&2; echo; printf 'no line feed'; printf half >&2";
    assert_eq!(exited(&place.run(&place.bash(script))), 0);
    let text = place.log_text();
    let of = |stream: &str| -> Vec<_> {
        text.lines().filter_map(|line| line.strip_prefix(stream).map(str::to_owned)).collect()
    };
    assert_eq!(of("out "), ["one", "", "no line feed…"]);
    assert_eq!(of("err "), ["two", "half…"]);
}

#[test]
fn any_bytes_come_through_unchanged() {
    let place = Place::new();
    // Lines of up to some 20 KB of all bytes.
    assert_eq!(exited(&place.run(&place.bash("head -c 300000 /dev/urandom | tee $W/copy"))), 0);
    let mut whole = Vec::new();
    for line in place.log_lines(3) {
        let piece = parse_piece(&line).unwrap();
        whole.extend_from_slice(piece.text);
        if !piece.continues {
            whole.push(b'\n');
        }
    }
    assert!(whole == std::fs::read(place.path("copy")).unwrap());
}

#[test]
fn ten_megabytes_are_all_there_when_the_cap_allows() {
    let place = Place::new();
    let mut request = place.bash("seq 1 1300000");
    request.log_bytes_max = 64 << 20;
    let exit = place.run(&request);
    assert_eq!((exited(&exit), exit.log_bytes_dropped), (0, 0));
    let lines = place.log_lines(1);
    assert_eq!(lines.len(), 1_300_000);
    let mut time = 0;
    for (index, line) in lines.iter().enumerate() {
        let piece = parse_piece(line).unwrap();
        assert_eq!(piece.text, (index + 1).to_string().as_bytes());
        assert!(piece.unix_micros >= time && piece.stream == Stream::Output);
        time = piece.unix_micros;
    }
}

#[test]
fn the_cap_holds_and_the_newest_is_kept() {
    let place = Place::new();
    let mut request = place.bash("seq 1 100000");
    request.log_bytes_max = 100_000;
    request.log_files_max = 4;
    let exit = place.run(&request);
    assert_eq!((exited(&exit), exit.log_bytes_dropped), (0, 0));
    for age in 0..4 {
        let size = place.directory().join(output_file_name(age)).metadata().unwrap().len();
        assert!(size <= 100_000 && (age == 0 || size > 80_000), "{age}: {size}");
    }
    assert!(!place.directory().join(output_file_name(4)).exists());
    let lines = place.log_lines(4);
    let numbers: Vec<u32> = lines
        .iter()
        .map(|line| String::from_utf8_lossy(parse_piece(line).unwrap().text).parse().unwrap())
        .collect();
    assert_eq!(numbers.last(), Some(&100_000));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "nothing is missing between");
}

#[test]
fn a_log_that_cannot_be_written_does_not_hold_the_task() {
    let place = Place::new();
    let request = place.bash("seq 1 20000; exit 7");
    aiflow_supervise::inspect(&place.path("other"), "x", &aiflow_supervise::boot_id().unwrap())
        .unwrap();
    std::fs::rename(place.path("other"), place.directory()).unwrap();
    std::fs::remove_file(place.directory().join("claim")).unwrap();
    std::fs::create_dir(place.directory().join("output.log")).unwrap();
    let exit = place.run(&request);
    assert_eq!(exited(&exit), 7);
    assert_eq!(exit.log_bytes_dropped, 108_894, "all that seq writes");
}

#[test]
fn a_full_disk_costs_output_but_neither_the_task_nor_its_end() {
    let place = Place::new();
    let mut request = place.bash("seq 1 100000; exit 8");
    // As on a full disk, a write stops half way and the next one fails.
    let server = limited_server(&place.path(""), "ulimit -f 100");
    request.log_bytes_max = 1 << 30;
    let exit = place.run_by(&server, &request);
    assert_eq!(exited(&exit), 8);
    let lines = place.log_lines(1);
    let kept: usize = lines.iter().map(|line| parse_piece(line).unwrap().text.len() + 1).sum();
    assert!(kept > 10_000);
    assert_eq!(kept as u64 + exit.log_bytes_dropped, 588_895, "all that seq writes");
}

#[test]
fn a_task_may_close_its_outputs() {
    let place = Place::new();
    let (shim, _) = start_released(&place.bash("exec >&- 2>&-; until [ -e $W/go ]; do :; done"));
    assert!(!shim.has_ended().unwrap());
    std::fs::write(place.path("go"), "").unwrap();
    wait_for_shim(&shim);
    assert_eq!(exited(&place.ended()), 0);
}
