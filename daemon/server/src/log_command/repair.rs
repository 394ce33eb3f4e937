//! `aiflowd log repair`: what a damaged log has to give up, and with `--yes` giving it up.
//!
//! Must never change anything that was not said before, nor without `--yes`.

use std::io::Write;

use aiflow_log::repair::{Plan, carry_out, plan};
use aiflow_model::exit_code;

use super::Written;
use crate::failure::Failure;
use crate::home::Home;
use crate::kept;
use crate::start::refuse;

/// Runs it.
pub(super) fn run(home: &Home, yes: bool) -> Result<Written, Failure> {
    let storage = home.open_log()?;
    let known = kept::newest(&storage)?.state.next_offset.0;
    let usable = Some(known).filter(|offset| *offset > 0);
    let (report, plan) = plan(&storage, usable).map_err(|error| refuse(home, error))?;
    let mut lines: Vec<String> =
        report.damage.iter().map(|damage| format!("DAMAGED  {damage}")).collect();
    lines.push(say(&plan, report.segments.first().map_or(0, |segment| segment.base)));
    if let Plan::Hopeless = plan {
        print(&lines).map_err(cannot_print)?;
        return Err(Failure::new(exit_code::LOG_REFUSED, "not one record can be saved")
            .hint("restore the log from a copy, or start with an empty home"));
    }
    if plan == Plan::Nothing {
        return Ok(print(&lines));
    }
    if !yes {
        print(&lines).map_err(cannot_print)?;
        let what = "nothing was changed: this gives up records";
        let hint = format!("aiflowd --home {} log repair --yes", home.root().display());
        return Err(Failure::new(exit_code::LOG_REFUSED, what).hint(hint));
    }
    let removed = carry_out(&storage, &plan).map_err(|error| refuse(home, error))?;
    lines.push("done".to_owned());
    lines.extend(removed.iter().map(|name| format!("kept as {}", home.log().join(name).display())));
    Ok(print(&lines))
}

fn say(plan: &Plan, begins: u64) -> String {
    match plan {
        Plan::Nothing => "nothing to repair".to_owned(),
        Plan::DropHead { first } => format!(
            "the log will begin at offset {first}: records {begins}..{first} are given up; \
             the state is whole, a snapshot holds what came of them"
        ),
        Plan::CutTail { end, lost_until } => format!(
            "the log will end at offset {end}: records {end}..{lost_until}, acknowledged, are \
             given up, and what came of them"
        ),
        Plan::Hopeless => "the damage begins at the first record".to_owned(),
    }
}

fn print(lines: &[String]) -> Written {
    writeln!(std::io::stdout().lock(), "{}", lines.join("\n"))
}

fn cannot_print(error: std::io::Error) -> Failure {
    Failure::new(exit_code::OPERATING, "cannot write to stdout").because(error)
}
