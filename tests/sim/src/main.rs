//! Simulates seeds by hand: `cargo run --release -p aiflow-sim -- FIRST COUNT [STEPS]`.
//!
//! Must never stay silent about a broken promise: it names the seed that repeats it.

#![expect(clippy::print_stdout, reason = "its results are what it is for")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> =
        std::env::args().skip(1).map(|word| word.parse().ok()).collect();
    let (first, count, steps) = match numbers.as_deref() {
        Some([first, count]) => (*first, *count, 1_000),
        Some([first, count, steps]) => (*first, *count, *steps),
        _ => {
            println!("usage: aiflow-sim FIRST COUNT [STEPS]");
            return ExitCode::FAILURE;
        }
    };
    let (mut records, mut executed, mut lives) = (0, 0, 0);
    for seed in first..first + count {
        match aiflow_sim::simulate(seed, steps, None) {
            Ok(story) => {
                records += story.records;
                executed += story.executed;
                lives += story.lives;
            }
            Err(broken) => {
                println!("seed {seed}: {broken}");
                println!("again: cargo run --release -p aiflow-sim -- {seed} 1 {steps}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "{count} seeds of {steps} steps from {first}: {records} records, {executed} attempts executed, {lives} daemons; 0 promises broken"
    );
    ExitCode::SUCCESS
}
