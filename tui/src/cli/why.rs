//! `aiflow why`: what each task of a run waits for, part by part, and what would start it; how what
//! ran came to run.
//!
//! Must never find reasons of its own: the model does.

use std::fmt::Write;

use aiflow_model::why::{Line, Why};
use aiflow_model::wire::WhyRequest;
use aiflow_model::{Offset, RunId, TaskName};
use clap::Args;

use super::failure::Failure;
use super::output::{Format, clean};
use super::session::Session;

/// Of what the answer is wanted.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The run
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Only of this task
    task: Option<TaskName>,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let request = WhyRequest { run: self.run, task: self.task };
        let why = session.connect().await?.why(request).await?;
        match session.output.format() {
            Format::Json | Format::Yaml => session.output.answer(&why, ""),
            Format::Table | Format::Plain => session.output.write(text(&why).as_bytes()),
        }
    }
}

/// The answer for people.
fn text(why: &Why) -> String {
    let mut text = format!("run {} of {}, at offset {}\n", why.run, why.workflow, why.at);
    why.lines.iter().for_each(|line| tell(&mut text, 1, line));
    for task in &why.tasks {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{} {}", task.task, task.stands.word());
        task.lines.iter().for_each(|line| tell(&mut text, 1, line));
        if !task.needs.is_empty() {
            let _ = writeln!(text, "  what would start it:");
        }
        for need in &task.needs {
            let _ = writeln!(text, "    {}", clean(&need.text));
            if let Some(command) = &need.command {
                let _ = writeln!(text, "      {}", clean(command));
            }
        }
        if !task.chain.is_empty() {
            let _ = writeln!(text, "  how the latest came to be:");
        }
        for link in &task.chain {
            let words = clean(&link.text);
            let _ = writeln!(text, "    [{}] {} {words}", link.offset, link.time);
        }
    }
    text
}

fn tell(text: &mut String, depth: usize, line: &Line) {
    let indent = "  ".repeat(depth + line.depth as usize);
    let offsets: Vec<String> = line.offsets.iter().map(Offset::to_string).collect();
    let offsets =
        if offsets.is_empty() { String::new() } else { format!(" [{}]", offsets.join(", ")) };
    let _ = writeln!(text, "{indent}{}{offsets}", clean(&line.text));
}
