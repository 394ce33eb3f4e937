//! The benchmark: each row sets what AIFlow takes beside what the bare system calls take, in turn,
//! in one run, on the same disk. `scripts/bench` runs it.
//!
//! Must never fail because a figure is bad: it measures, people judge. Invoked with the name of a
//! mode instead, this program is the tiny task that the rows start.

mod adoption;
mod answers;
mod bare;
mod bench;
mod daemon;
mod durable_emits;
mod figures;
mod finished_runs;
mod first_instruction;
mod history;
mod idle;
mod load;
mod log;
mod processes;
mod queries;
mod replay;
mod rules;
mod task_starts;
mod tiny;
mod tui;

use anyhow::{Context, bail};

use crate::bench::Bench;
use crate::figures::{Row, Table};

const HELP: &str = "\
scripts/bench [--dir DIR] [--records N] [ROW...]

Prints one table: what AIFlow takes, what bare system calls take, their ratio, the budget.
Without a ROW all are measured:
  first-instruction  from an emit to the first instruction of the task
  emits              durable emits per second, with 1, 16 and 256 emitters
  log                durable appends of the log alone, with 1, 16 and 256 writers, beside
                     SQLite, Redis and NATS where they are installed; cost as the log grows
  replay             records per second at a start, from a log of 1,000,000
  queries            events by key from a cold log, and the restart that comes before
  answers            states at random offsets, a backtest of every event, receipts, differences
                     of runs
  starts             task starts per second, 8 at once
  adoption           a restart until 200 live tasks are adopted
  rules              an event that no rule looks at, beside 10 and 100,000 rules; memory of
                     100,000 live runs; a chain of 1,000 tasks, hop by hop
  finished           memory, and the time to start and stop a run, after 1,000,000 others
  idle               memory and wake-ups when nothing is due
  tui                the terminal interface: frames at 10,000 events/s, opening, at rest
--dir DIR            where homes and files of comparison lie [default: below the build directory]
--records N          length of the log of `queries`, `answers` and `tui`, runs of `finished`
                     [default: 1,000,000]
";

type Measure = fn(&mut Bench) -> anyhow::Result<Vec<Row>>;

const ROWS: [(&str, Measure); 12] = [
    ("first-instruction", first_instruction::measure),
    ("emits", durable_emits::measure),
    ("log", log::measure),
    ("replay", replay::measure),
    ("queries", queries::measure),
    ("answers", answers::measure),
    ("starts", task_starts::measure),
    ("adoption", adoption::measure),
    ("rules", rules::measure),
    ("finished", finished_runs::measure),
    ("idle", idle::measure),
    ("tui", tui::measure),
];

fn main() -> anyhow::Result<()> {
    // Before anything else: for a task that marks its start this is the first instruction.
    let now = tiny::monotonic_ns();
    let mut arguments = std::env::args_os().skip(1);
    let mut directory = None;
    let mut names = Vec::new();
    let mut records = None;
    while let Some(argument) = arguments.next() {
        match argument.to_str().unwrap_or_default() {
            "mark" => return tiny::mark(now, arguments.next()),
            "relay" => return tiny::relay(arguments.next()),
            "nothing" => return Ok(()),
            "sleep" => return tiny::sleep(),
            "--help" | "-h" => return figures::print(HELP),
            "--dir" => directory = Some(arguments.next().context("--dir needs a directory")?),
            "--records" => records = arguments.next(),
            name if ROWS.iter().any(|(row, _)| *row == name) => names.push(name.to_owned()),
            _ => bail!("there is no row {}\n{HELP}", argument.display()),
        }
    }
    let mut bench = Bench::new(directory.map(Into::into))?;
    if let Some(records) = records {
        bench.records = records.to_string_lossy().parse().context("--records needs a number")?;
    }
    let mut table = Table::default();
    for (name, measure) in ROWS {
        if names.is_empty() || names.iter().any(|asked| asked == name) {
            figures::progress(&format!("measuring {name}"));
            // One row that cannot be measured leaves the others.
            match measure(&mut bench) {
                Ok(rows) => table.rows.extend(rows),
                Err(error) => table.rows.push(Row::failed(name, &error)),
            }
        }
    }
    figures::print(&format!("{}\n{}", bench.describe(), table.show()))
}
