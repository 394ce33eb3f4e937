//! Definitions without what users put into them: their shape, names, times and counts stay.
//!
//! Must never let through a text that is neither a name nor a word of ours.

use super::Redactor;
use crate::record::FileEntry;
use crate::spec::{
    Command, Condition, Confinement, Emission, Host, Plugin, Rule, TaskSpec, WorkflowSpec,
};

impl Redactor<'_> {
    pub(super) fn spec(&self, spec: &mut WorkflowSpec) {
        let WorkflowSpec {
            name: _,
            params,
            param_types: _,
            files,
            tasks,
            triggers,
            emits,
            pools: _,
            max_active_runs: _,
            max_active_tasks: _,
            late_after: _,
            index: _,
        } = spec;
        params.values_mut().for_each(|value| self.value(value));
        files.iter_mut().for_each(|file| self.definition(file));
        tasks.iter_mut().for_each(|task| self.task(task));
        triggers.iter_mut().for_each(|condition| self.condition(condition));
        emits.iter_mut().for_each(|rule| self.rule(rule));
    }

    pub(super) fn files(&self, files: &mut [FileEntry]) {
        for FileEntry { path, sha256, bytes: _, executable: _ } in files {
            self.definition(path);
            self.definition(sha256);
        }
    }

    fn task(&self, task: &mut TaskSpec) {
        let TaskSpec {
            name: _,
            kind: _,
            command,
            executor,
            env,
            rules,
            for_each,
            hook: _,
            overlap: _,
            parallel: _,
            retry: _,
            timeout: _,
            grace: _,
            priority: _,
            pools: _,
            heartbeat: _,
            confinement,
        } = task;
        match command {
            Command::Bash(text) | Command::Webhook(text) => self.definition(text),
            Command::Exec(words) => words.iter_mut().for_each(|word| self.definition(word)),
            Command::Operator(plugin) => self.plugin(plugin),
        }
        if let Some(plugin) = executor {
            self.plugin(plugin);
        }
        env.values_mut().for_each(|value| self.definition(value));
        rules.iter_mut().for_each(|rule| self.rule(rule));
        for_each.iter_mut().for_each(|expression| self.definition(expression));
        let Confinement { limits: _, run_as, secrets } = confinement;
        run_as.iter_mut().for_each(|user| self.definition(user));
        secrets.values_mut().for_each(|place| self.definition(place));
    }

    fn plugin(&self, Plugin { name: _, config }: &mut Plugin) {
        if !self.keep.definitions {
            self.json(config);
        }
    }

    fn rule(&self, Rule { action: _, condition, emission }: &mut Rule) {
        self.condition(condition);
        self.emission(emission);
    }

    pub(super) fn emission(&self, emission: &mut Option<Box<Emission>>) {
        if let Some(emission) = emission {
            let Emission { key: _, value, to_namespace: _ } = emission.as_mut();
            value.iter_mut().for_each(|expression| self.definition(expression));
        }
    }

    pub(super) fn condition(&self, condition: &mut Condition) {
        match condition {
            Condition::On { key: _, filter } | Condition::After { tasks: _, filter } => {
                filter.iter_mut().for_each(|filter| self.definition(filter));
            }
            Condition::Silent { task: _ } | Condition::Elsewhere { of: _, status: _ } => {}
            Condition::All(children) | Condition::Any(children) | Condition::Sequence(children) => {
                children.iter_mut().for_each(|child| self.condition(child));
            }
            Condition::Within { of, span: _ }
            | Condition::Reset { of, mode: _ }
            | Condition::Count { of, n: _ }
            | Condition::Absent { of, span: _ }
            | Condition::Debounce { of, span: _ }
            | Condition::Throttle { of, span: _ } => self.condition(of),
            Condition::Sum { of, expr, reaches, carry: _ } => {
                self.condition(of);
                self.definition(expr);
                if !self.keep.definitions {
                    *reaches = f64::from(self.whole(&reaches.to_string()));
                }
            }
            Condition::State { of, script } => {
                self.condition(of);
                self.definition(script);
            }
            Condition::Custom { of, host } => {
                self.condition(of);
                let Host { exec, config, tasks: _, timeout: _ } = host.as_mut();
                exec.iter_mut().for_each(|word| self.definition(word));
                if !self.keep.definitions {
                    self.json(config);
                }
            }
            Condition::Every {
                period: _,
                clock: _,
                from: _,
                missed: _,
                until: _,
                idle: _,
                late: _,
                jitter: _,
            }
            | Condition::Cron { expression: _, zone: _, missed: _, jitter: _, except: _ } => {}
        }
    }
}
