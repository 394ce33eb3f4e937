//! What every source file keeps to: an opening that says what it is for, sizes, and words that are
//! banned.

use std::path::{Path, PathBuf};
use std::process::Command;

use aiflow_model::ErrorCode;
use aiflow_test_support::repository;

/// Most lines of one source file.
const FILE_LINES_MAX: usize = 500;
/// Longest line, in characters.
const LINE_MAX: usize = 100;
/// Test files may be longer: they are lists.
const TEST_FILE_LINES_MAX: usize = 800;

/// Words that no source file may hold, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("#[ignore", "a test runs or is not there"),
    ("#[allow(", "use #[expect(..., reason = \"...\")]"),
    ("FIXME", "fix it"),
];

/// Words that no test may hold.
const BANNED_IN_TESTS: &[(&str, &str)] = &[
    ("thread::sleep", "wait for a condition"),
    ("time::sleep", "wait for a condition"),
    ("should_panic", "expect the error"),
];

/// What the pure rooms may not name, and why.
const IMPURE: &[(&str, &str)] = &[
    ("SystemTime", "time comes in as an argument"),
    ("Instant::now", "time comes in as an argument"),
    ("std::fs", "files are the server's"),
    ("std::net", "sockets are the server's"),
    ("std::process", "processes are the supervisor's"),
    ("std::thread", "threads are the server's"),
    ("std::env", "the environment is the server's"),
    ("HashMap", "its order differs from run to run"),
    ("HashSet", "its order differs from run to run"),
    ("async fn", "the core never waits"),
];

/// Files that git knows or would take, with their text.
fn sources(ending: &str) -> Vec<(PathBuf, String)> {
    let root = repository();
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let paths = names.lines().filter(|name| name.ends_with(ending)).map(PathBuf::from);
    let read = |path: PathBuf| Some((path.clone(), std::fs::read_to_string(root.join(path)).ok()?));
    let found: Vec<_> = paths.filter_map(read).collect();
    assert!(!found.is_empty(), "there are no files {ending}");
    found
}

/// This file names what it bans.
fn is_own(path: &Path) -> bool {
    path.starts_with("tests/tidy")
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.file_name().is_some_and(|name| name == "tests.rs")
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (path, text) in sources(".rs") {
        let opens = text.lines().find(|line| !line.is_empty() && !line.starts_with("#!["));
        let opens = opens.is_some_and(|line| line.starts_with("//!"));
        assert!(opens, "{} does not open with //!", path.display());
    }
}

#[test]
fn files_and_lines_keep_to_their_sizes() {
    for (path, text) in sources(".rs") {
        let limit = if is_test(&path) { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
        let count = text.lines().count();
        assert!(count <= limit, "{} has {count} lines, at most {limit}", path.display());
        for (number, line) in (1..).zip(text.lines()) {
            // Text in quotes is what it is; rustfmt leaves it alone as well.
            let is_text = line.contains('"');
            let length = line.chars().count();
            assert!(is_text || length <= LINE_MAX, "{}:{number} is {length} long", path.display());
        }
    }
}

#[test]
fn banned_words_are_absent() {
    for (path, text) in sources(".rs").into_iter().filter(|(path, _)| !is_own(path)) {
        // A benchmark measures what happens in a time; a test waits for what it wants.
        let is_bench = path.starts_with("tests/bench");
        let of_tests = BANNED_IN_TESTS.iter().filter(|_| is_test(&path) && !is_bench);
        for (word, instead) in BANNED.iter().chain(of_tests) {
            assert!(!text.contains(word), "{} holds {word}: {instead}", path.display());
        }
    }
}

#[test]
fn pure_rooms_are_pure() {
    for (path, text) in sources(".rs") {
        let is_pure = path.starts_with("common/model/src") || path.starts_with("daemon/core/src");
        for (word, why) in IMPURE.iter().filter(|_| is_pure) {
            assert!(!text.contains(word), "{} names {word}: {why}", path.display());
        }
    }
}

#[test]
fn only_the_supervisor_is_unsafe() {
    for (path, text) in sources(".rs") {
        let may = path.starts_with("daemon/supervise") || is_own(&path);
        let is_unsafe = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe(")
        });
        assert!(may || !is_unsafe, "{} has unsafe code", path.display());
    }
}

#[test]
fn every_error_code_has_its_page() {
    for code in ErrorCode::ALL {
        let path = repository().join(format!("docs/errors/{code}.md"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text.starts_with(&format!("# {code}")), "{} is missing", path.display());
    }
}

#[test]
fn documents_name_files_that_exist() {
    let root = repository();
    for (path, text) in sources(".md") {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let file = root.join(path.parent().unwrap()).join(target);
            assert!(file.exists(), "{} links to {link}, which is not there", path.display());
        }
    }
}
