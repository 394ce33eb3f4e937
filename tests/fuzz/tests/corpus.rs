//! Every input of the corpus through its target, on the stable compiler.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use aiflow_fuzz::TARGETS;

/// Most bytes of all inputs together: they are in everyone's clone.
const CORPUS_BYTES_MAX: u64 = 1 << 20;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths
}

#[test]
fn every_input_that_was_found_holds() {
    for (name, target) in TARGETS {
        let inputs = entries(&here("corpus").join(name));
        assert!(!inputs.is_empty(), "there are no inputs for {name}");
        for path in inputs {
            let bytes = fs::read(&path).unwrap();
            let ran = std::panic::catch_unwind(|| target(&bytes));
            assert!(ran.is_ok(), "{}; repeat: scripts/fuzz {name} FILE", path.display());
        }
    }
}

#[test]
fn corpus_and_programs_are_those_of_the_targets() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for directory in ["corpus", "libfuzzer/targets"] {
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let found: BTreeSet<_> = entries(&here(directory)).into_iter().map(stem).collect();
        assert_eq!(found, targets, "in {directory}");
    }
}

#[test]
fn the_corpus_is_small() {
    let directories = entries(&here("corpus"));
    let inputs = directories.iter().flat_map(|directory| entries(directory));
    let bytes: u64 = inputs.map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes < CORPUS_BYTES_MAX, "{bytes} bytes: merge it, scripts/fuzz TARGET merge");
}
