//! Any nesting of conditions against a slow model that keeps all events and looks at them anew.
//!
//! The model knows `on`, `any`, `all`, `sequence` and `count`, and `within` around them. It decides
//! from lists of whole firings, with no state but what was met and is not used up.

use aiflow_model::Record;
use proptest::prelude::*;

use crate::support::Scenario;

#[derive(Debug, Clone)]
enum Tree {
    On(usize),
    Any(Vec<Self>),
    All(Vec<Self>, Option<u64>),
    Sequence(Vec<Self>, Option<u64>),
    Count(Box<Self>, usize, Option<u64>),
}

const KEYS: [&str; 3] = ["p", "q", "r"];

impl Tree {
    fn yaml(&self) -> String {
        let list = |parts: &[Self]| parts.iter().map(Self::yaml).collect::<Vec<_>>().join(", ");
        let within = |seconds: &Option<u64>| match seconds {
            Some(seconds) => format!(", within: {seconds}s"),
            None => String::new(),
        };
        match self {
            Self::On(key) => format!("{{on: {}}}", KEYS[*key]),
            Self::Any(parts) => format!("{{any: [{}]}}", list(parts)),
            Self::All(parts, limit) => format!("{{all: [{}]{}}}", list(parts), within(limit)),
            Self::Sequence(parts, limit) => {
                format!("{{sequence: [{}]{}}}", list(parts), within(limit))
            }
            Self::Count(of, n, limit) => {
                format!("{{count: {{of: {}, n: {n}}}{}}}", of.yaml(), within(limit))
            }
        }
    }
}

/// When a node was met, and since when what led to it goes back.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Met {
    event: usize,
    began: u64,
}

/// All times at which a node was met by the events `(second, key)`, worked out from scratch.
fn met(tree: &Tree, events: &[(u64, usize)]) -> Vec<Met> {
    let is_recent = |began: u64, event: usize, limit: &Option<u64>| {
        limit.is_none_or(|limit| began + limit >= events[event].0)
    };
    match tree {
        Tree::On(key) => {
            let hits = events.iter().enumerate().filter(|(_, (_, k))| k == key);
            hits.map(|(event, (second, _))| Met { event, began: *second }).collect()
        }
        Tree::Any(parts) => {
            let mut all: Vec<Met> = parts.iter().flat_map(|part| met(part, events)).collect();
            all.sort_by_key(|met| met.event);
            all
        }
        Tree::All(parts, limit) => {
            let parts: Vec<Vec<Met>> = parts.iter().map(|part| met(part, events)).collect();
            let mut used = vec![0_usize; parts.len()];
            let mut fired = Vec::new();
            for event in 0..events.len() {
                // The newest of each that came since the last firing and is recent enough.
                let newest: Vec<Option<Met>> = parts
                    .iter()
                    .zip(&used)
                    .map(|(part, used)| {
                        let mut so_far = part.iter().skip(*used).filter(|met| met.event <= event);
                        so_far.next_back().copied().filter(|met| is_recent(met.began, event, limit))
                    })
                    .collect();
                let is_touched = parts.iter().flatten().any(|met| met.event == event);
                let Some(newest) = newest.into_iter().collect::<Option<Vec<Met>>>() else {
                    continue;
                };
                if is_touched {
                    let began = newest.iter().map(|met| met.began).min().unwrap();
                    fired.push(Met { event, began });
                    for (part, used) in parts.iter().zip(&mut used) {
                        *used = part.iter().filter(|met| met.event <= event).count();
                    }
                }
            }
            fired
        }
        Tree::Sequence(parts, limit) => sequence(
            &parts.iter().map(|part| met(part, events)).collect::<Vec<_>>(),
            |began, event| is_recent(began, event, limit),
        ),
        Tree::Count(of, n, limit) => {
            let mut fired = Vec::new();
            let mut gathered: Vec<Met> = Vec::new();
            for one in met(of, events) {
                gathered.push(one);
                gathered.retain(|met| is_recent(met.began, one.event, limit));
                if gathered.len() == *n {
                    let began = gathered.iter().map(|met| met.began).min().unwrap();
                    fired.push(Met { event: one.event, began });
                    gathered.clear();
                }
            }
            fired
        }
    }
}

/// Tries every chain of the steps that lies after the last firing.
fn sequence(steps: &[Vec<Met>], is_recent: impl Fn(u64, usize) -> bool) -> Vec<Met> {
    fn chains(steps: &[Vec<Met>], after: Option<usize>, until: usize, began: u64) -> Vec<u64> {
        let Some((first, rest)) = steps.split_first() else { return vec![began] };
        let usable = first.iter().filter(|met| after.is_none_or(|after| met.event > after));
        let usable = usable
            .filter(|met| if rest.is_empty() { met.event == until } else { met.event < until });
        let longer =
            usable.flat_map(|met| chains(rest, Some(met.event), until, began.min(met.began)));
        longer.collect()
    }
    let mut fired: Vec<Met> = Vec::new();
    let last = steps.last().unwrap();
    let mut ends: Vec<usize> = last.iter().map(|met| met.event).collect();
    ends.dedup();
    for event in ends {
        let after = fired.last().map(|met| met.event);
        let began = chains(steps, after, event, u64::MAX).into_iter().max();
        if let Some(began) = began.filter(|began| is_recent(*began, event)) {
            fired.push(Met { event, began });
        }
    }
    fired
}

fn tree() -> impl Strategy<Value = Tree> {
    let limit = || prop::option::of(1..20_u64);
    let leaf = (0..KEYS.len()).prop_map(Tree::On);
    leaf.prop_recursive(3, 10, 3, move |inner| {
        let parts = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts().prop_map(Tree::Any),
            (parts(), limit()).prop_map(|(parts, limit)| Tree::All(parts, limit)),
            (prop::collection::vec(inner.clone(), 2..4), limit())
                .prop_map(|(parts, limit)| Tree::Sequence(parts, limit)),
            (inner.clone(), 1..4_usize, limit()).prop_map(|(of, n, limit)| Tree::Count(
                Box::new(of),
                n,
                limit
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    #[test]
    fn any_nesting_fires_when_the_slow_model_does(
        tree in tree(),
        steps in prop::collection::vec((0..8_u64, 0..KEYS.len()), 1..25),
    ) {
        let tasks = format!(
            "keep: {{kind: stream, bash: x}}\na: {{bash: x, start: {}}}", tree.yaml(),
        );
        let mut s = Scenario::new(&tasks);
        s.replays_each_step = false;
        s.run();
        let mut events = Vec::new();
        let (mut second, mut fired) = (0, Vec::new());
        s.firings();
        for (event, (pause, key)) in steps.into_iter().enumerate() {
            second += pause;
            s.pass(&format!("{pause}s"));
            s.emit(KEYS[key], "1");
            events.push((second, key));
            fired.extend(std::iter::repeat_n(event, s.firings()));
        }
        let expected: Vec<usize> = met(&tree, &events).iter().map(|met| met.event).collect();
        prop_assert_eq!(fired, expected, "{}", tree.yaml());
        prop_assert_eq!(s.count(|r| matches!(r, Record::FilterFailed { .. })), 0);
        s.check_replay();
    }
}
