//! Seeds that have to hold, the same story twice, and planted bugs that have to be found.
//!
//! A seed that fails prints the command that repeats it. AIFLOW_SIM_SEEDS: how many instead.

use std::sync::atomic::{AtomicU64, Ordering};

use aiflow_sim::{Bug, Story, simulate};

const SEEDS: u64 = 20_000;
const STEPS: u64 = 1_000;
/// Within how many seeds a planted bug has to be found.
const SEEDS_PER_BUG: u64 = 1_000;

fn seeds() -> u64 {
    let given = std::env::var("AIFLOW_SIM_SEEDS").ok();
    given.map_or(SEEDS, |text| text.parse().expect("AIFLOW_SIM_SEEDS is a number"))
}

/// An assertion of the core that fails breaks a promise, too.
fn tell(seed: u64) -> Result<Story, String> {
    let told = std::panic::catch_unwind(|| simulate(seed, STEPS, None));
    told.unwrap_or_else(|_| Err("an assertion of the programs failed".to_owned()))
}

#[test]
fn no_seed_breaks_a_promise() {
    let (next, executed, records) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let count = seeds();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        break;
                    }
                    match tell(seed) {
                        Ok(story) => {
                            executed.fetch_add(story.executed, Ordering::Relaxed);
                            records.fetch_add(story.records, Ordering::Relaxed);
                        }
                        Err(broken) => {
                            // Nobody begins another.
                            next.store(count, Ordering::Relaxed);
                            panic!(
                                "seed {seed}: {broken}\nagain: cargo run --release -p aiflow-sim -- {seed} 1 {STEPS}"
                            );
                        }
                    }
                }
            });
        }
    });
    println!("{count} seeds of {STEPS} steps: {executed:?} attempts executed, {records:?} records");
    assert!(executed.into_inner() > 100 * count, "too little happens to mean anything");
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 0..100 {
        assert_eq!(simulate(seed, STEPS, None), simulate(seed, STEPS, None), "seed {seed}");
    }
    let told = |seed| simulate(seed, STEPS, None).map(|story| story.trace);
    assert_ne!(told(1), told(2), "two seeds are two stories");
}

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let found = (0..SEEDS_PER_BUG)
            .find_map(|seed| simulate(seed, STEPS, Some(bug)).err().map(|broken| (seed, broken)));
        match found {
            Some((seed, broken)) => println!("{bug:?}: seed {seed}: {broken}"),
            None => missed.push(bug),
        }
    }
    assert_eq!(missed, [], "not found within {SEEDS_PER_BUG} seeds each");
}
