//! Any nesting of conditions against a slow model that keeps all that happened and looks at it
//! anew.
//!
//! The model works out the times at which a node was met from the times of its parts, with no state
//! in between. A second begins with a tick, at which timers that are due fire; then its events
//! come.

use aiflow_model::Record;
use proptest::prelude::*;

use crate::support::Scenario;

#[derive(Debug, Clone)]
enum Tree {
    On(usize),
    Any(Vec<Self>),
    All(Vec<Self>, Option<u64>, bool),
    Sequence(Vec<Self>, Option<u64>, bool),
    Count(Box<Self>, usize, Option<u64>, bool),
    Sum(Vec<usize>, u64, SumReset),
    Absent(Box<Self>, u64),
    Debounce(Box<Self>, u64),
    Throttle(Box<Self>, u64),
    PerKey(Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum SumReset {
    OnFire,
    Carry,
    Never,
}

const KEYS: [&str; 4] = ["p", "q", "r", "\"*\""];

impl Tree {
    fn yaml(&self, reset: &str) -> String {
        let list = |parts: &[Self]| {
            let parts: Vec<String> = parts.iter().map(|part| part.yaml("")).collect();
            parts.join(", ")
        };
        let tail = |within: &Option<u64>, never: bool| {
            let within = within.map_or(String::new(), |seconds| format!(", within: {seconds}s"));
            let reset = if never { ", reset: never" } else { reset };
            format!("{within}{reset}")
        };
        match self {
            Self::On(key) => format!("{{on: {}}}", KEYS[*key]),
            Self::Any(parts) => format!("{{any: [{}]}}", list(parts)),
            Self::All(parts, limit, never) => {
                format!("{{all: [{}]{}}}", list(parts), tail(limit, *never))
            }
            Self::Sequence(parts, limit, never) => {
                format!("{{sequence: [{}]{}}}", list(parts), tail(limit, *never))
            }
            Self::Count(of, n, limit, never) => {
                format!("{{count: {{of: {}, n: {n}}}{}}}", of.yaml(""), tail(limit, *never))
            }
            Self::Sum(keys, reaches, how) => {
                let keys: Vec<String> =
                    keys.iter().map(|key| format!("{{on: {}}}", KEYS[*key])).collect();
                let carry = if *how == SumReset::Carry { ", carry: true" } else { "" };
                let tail = tail(&None, *how == SumReset::Never);
                let of = keys.join(", ");
                format!(
                    "{{sum: {{of: {{any: [{of}]}}, expr: value, reaches: {reaches}{carry}}}{tail}}}"
                )
            }
            Self::Absent(of, span) => format!("{{absent: {{of: {}, for: {span}s}}}}", of.yaml("")),
            Self::Debounce(of, span) => {
                format!("{{debounce: {{of: {}, for: {span}s}}}}", of.yaml(""))
            }
            Self::Throttle(of, span) => {
                format!("{{throttle: {{of: {}, per: {span}s}}}}", of.yaml(""))
            }
            Self::PerKey(of) => of.yaml(", reset: per key"),
        }
    }
}

/// A tick, or an event of a key with its value; and when.
#[derive(Debug, Clone, Copy)]
struct Moment {
    second: u64,
    event: Option<(usize, u64)>,
}

/// When a node was met, and since when what led to it goes back.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Met {
    at: usize,
    began: u64,
}

fn hits(key: usize, moments: &[Moment]) -> Vec<(Met, u64)> {
    let hits = moments.iter().enumerate().filter_map(|(at, moment)| {
        let (found, value) = moment.event.filter(|(found, _)| *found == key || key == 3)?;
        let _ = found;
        Some((Met { at, began: moment.second }, value))
    });
    hits.collect()
}

/// All times at which a node was met, worked out from scratch.
fn met(tree: &Tree, moments: &[Moment]) -> Vec<Met> {
    let is_recent = |began: u64, at: usize, limit: &Option<u64>| {
        limit.is_none_or(|limit| began + limit >= moments[at].second)
    };
    match tree {
        Tree::On(key) => hits(*key, moments).into_iter().map(|(met, _)| met).collect(),
        Tree::Any(parts) => {
            let mut all: Vec<Met> = parts.iter().flat_map(|part| met(part, moments)).collect();
            all.sort_by_key(|met| met.at);
            all
        }
        Tree::All(parts, limit, never) => {
            let parts: Vec<Vec<Met>> = parts.iter().map(|part| met(part, moments)).collect();
            all(&parts, moments.len(), *never, |began, at| is_recent(began, at, limit))
        }
        Tree::Sequence(parts, limit, never) => sequence(
            &parts.iter().map(|part| met(part, moments)).collect::<Vec<_>>(),
            *never,
            |began, at| is_recent(began, at, limit),
        ),
        Tree::Count(of, n, limit, never) => {
            let mut fired = Vec::new();
            let mut gathered: Vec<Met> = Vec::new();
            for one in met(of, moments) {
                gathered.push(one);
                let recent = gathered.iter().filter(|met| is_recent(met.began, one.at, limit));
                let recent: Vec<Met> = recent.copied().collect();
                // Without a time every one that ever came is part of what is never used up.
                let used =
                    if *never && limit.is_none() { 0 } else { recent.len().saturating_sub(*n) };
                if recent.len() >= *n {
                    let began = recent[used..].iter().map(|met| met.began).min().unwrap();
                    fired.push(Met { at: one.at, began });
                    if !never {
                        gathered.clear();
                    }
                }
            }
            fired
        }
        Tree::Sum(keys, reaches, how) => sum(keys, *reaches, *how, moments),
        Tree::Absent(of, span) => {
            // From the start and from each time that it came: not again for so long.
            let came = times(&met(of, moments), moments);
            let anchors = std::iter::once(0).chain(came.iter().copied());
            let mut due: Vec<u64> = anchors
                .filter(|anchor| !came.iter().any(|time| anchor < time && *time < anchor + span))
                .map(|anchor| anchor + span)
                .collect();
            due.dedup();
            let fires = due.into_iter().filter_map(|second| tick(second, moments));
            fires.map(|at| Met { at, began: moments[at].second - span }).collect()
        }
        Tree::Debounce(of, span) => {
            let mut bursts: Vec<(u64, u64)> = Vec::new();
            for one in met(of, moments) {
                let time = moments[one.at].second;
                match bursts.last_mut().filter(|(last, _)| time < *last + span) {
                    Some(burst) => *burst = (time, burst.1.min(one.began)),
                    None => bursts.push((time, one.began)),
                }
            }
            let fires = bursts.into_iter();
            fires
                .filter_map(|(last, began)| Some(Met { at: tick(last + span, moments)?, began }))
                .collect()
        }
        Tree::Throttle(of, span) => throttle(&met(of, moments), *span, moments),
        Tree::PerKey(of) => {
            let mut all = Vec::new();
            for key in 0..3 {
                let own = moments.iter().map(|moment| {
                    let event = moment.event.filter(|(found, _)| *found == key);
                    Moment { event, ..*moment }
                });
                all.extend(met(of, &own.collect::<Vec<_>>()));
            }
            all.sort_by_key(|met| met.at);
            all
        }
    }
}

/// The tick that begins a second, if there is one.
fn tick(second: u64, moments: &[Moment]) -> Option<usize> {
    moments.iter().position(|moment| moment.event.is_none() && moment.second == second)
}

fn times(all: &[Met], moments: &[Moment]) -> Vec<u64> {
    let mut times: Vec<u64> = all.iter().map(|met| moments[met.at].second).collect();
    times.dedup();
    times
}

fn all(
    parts: &[Vec<Met>],
    moments: usize,
    never: bool,
    is_recent: impl Fn(u64, usize) -> bool,
) -> Vec<Met> {
    let mut used = vec![0_usize; parts.len()];
    let mut fired = Vec::new();
    for at in 0..moments {
        // The newest of each that came since the last firing and is recent enough.
        let newest: Vec<Option<Met>> = parts
            .iter()
            .zip(&used)
            .map(|(part, used)| {
                let mut so_far = part.iter().skip(*used).filter(|met| met.at <= at);
                so_far.next_back().copied().filter(|met| is_recent(met.began, at))
            })
            .collect();
        let is_touched = parts.iter().flatten().any(|met| met.at == at);
        let Some(newest) = newest.into_iter().collect::<Option<Vec<Met>>>() else { continue };
        if is_touched {
            let began = newest.iter().map(|met| met.began).min().unwrap();
            fired.push(Met { at, began });
            for (part, used) in parts.iter().zip(&mut used).filter(|_| !never) {
                *used = part.iter().filter(|met| met.at <= at).count();
            }
        }
    }
    fired
}

/// Tries every chain of the steps that lies after the last firing.
fn sequence(steps: &[Vec<Met>], never: bool, is_recent: impl Fn(u64, usize) -> bool) -> Vec<Met> {
    fn chains(steps: &[Vec<Met>], after: Option<usize>, until: usize, began: u64) -> Vec<u64> {
        let Some((first, rest)) = steps.split_first() else { return vec![began] };
        let usable = first.iter().filter(|met| after.is_none_or(|after| met.at > after));
        let usable =
            usable.filter(|met| if rest.is_empty() { met.at == until } else { met.at < until });
        let longer = usable.flat_map(|met| chains(rest, Some(met.at), until, began.min(met.began)));
        longer.collect()
    }
    let mut fired: Vec<Met> = Vec::new();
    let last = steps.last().unwrap();
    let mut ends: Vec<usize> = last.iter().map(|met| met.at).collect();
    ends.dedup();
    for at in ends {
        let after = fired.last().map(|met| met.at).filter(|_| !never);
        let began = chains(steps, after, at, u64::MAX).into_iter().max();
        if let Some(began) = began.filter(|began| is_recent(*began, at)) {
            fired.push(Met { at, began });
        }
    }
    fired
}

/// The k-th firing comes with the event that brings the sum to so much.
fn sum(keys: &[usize], reaches: u64, how: SumReset, moments: &[Moment]) -> Vec<Met> {
    let mut events: Vec<(Met, u64)> = keys.iter().flat_map(|key| hits(*key, moments)).collect();
    events.sort_by_key(|(met, _)| met.at);
    let mut fired: Vec<Met> = Vec::new();
    let (mut total, mut since) = (0, 0);
    for (index, (one, value)) in events.iter().enumerate() {
        total += value;
        let began = events[since..=index].iter().map(|(met, _)| met.began).min().unwrap();
        match how {
            SumReset::Never if total >= reaches => fired.push(Met { at: one.at, began }),
            SumReset::OnFire if total >= reaches => {
                fired.push(Met { at: one.at, began });
                (total, since) = (0, index + 1);
            }
            SumReset::Carry if total >= reaches => {
                let times = total / reaches;
                fired.push(Met { at: one.at, began });
                let own = Met { at: one.at, began: one.began };
                fired.extend((1..times).map(|_| own));
                total %= reaches;
                since = if total == 0 { index + 1 } else { index };
            }
            _ => {}
        }
    }
    fired
}

/// At once when it was calm for so long; what comes sooner is one firing when the time is over.
fn throttle(parts: &[Met], span: u64, moments: &[Moment]) -> Vec<Met> {
    let mut fired = Vec::new();
    let (mut open, mut held) = (0, None::<u64>);
    for (at, moment) in moments.iter().enumerate() {
        if moment.second >= open
            && let Some(began) = held.take()
        {
            fired.push(Met { at, began });
            open = moment.second + span;
        }
        for one in parts.iter().filter(|met| met.at == at) {
            if moment.second >= open {
                fired.push(*one);
                open = moment.second + span;
            } else {
                held = Some(held.map_or(one.began, |began| began.min(one.began)));
            }
        }
    }
    fired
}

fn limit() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(1..20_u64)
}

fn sums() -> impl Strategy<Value = Tree> {
    let how = prop_oneof![Just(SumReset::OnFire), Just(SumReset::Carry), Just(SumReset::Never)];
    (prop::collection::btree_set(0..3_usize, 1..3), 1..12_u64, how)
        .prop_map(|(keys, reaches, how)| Tree::Sum(keys.into_iter().collect(), reaches, how))
}

/// What gathers one key by itself: events, and what gathers them, without timers.
fn gatherer(depth: u32) -> BoxedStrategy<Tree> {
    let leaf = prop_oneof![3 => (0..KEYS.len()).prop_map(Tree::On), 1 => sums()];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = gatherer(depth - 1);
    let parts = || prop::collection::vec(inner.clone(), 1..4);
    let steps = prop::collection::vec(inner.clone(), 2..4);
    prop_oneof![
        2 => leaf,
        1 => parts().prop_map(Tree::Any),
        2 => (parts(), limit(), any::<bool>()).prop_map(|(p, l, never)| Tree::All(p, l, never)),
        2 => (steps, limit(), any::<bool>()).prop_map(|(p, l, never)| Tree::Sequence(p, l, never)),
        2 => (inner.clone(), 1..4_usize, limit(), any::<bool>())
            .prop_map(|(of, n, l, never)| Tree::Count(Box::new(of), n, l, never)),
    ]
    .boxed()
}

fn per_key() -> impl Strategy<Value = Tree> {
    let parts = prop::collection::vec(gatherer(1), 1..3);
    let gathers = prop_oneof![
        (gatherer(1), 1..4_usize, limit()).prop_map(|(of, n, l)| Tree::Count(
            Box::new(of),
            n,
            l,
            false
        )),
        (parts, limit()).prop_map(|(parts, l)| Tree::All(parts, l, false)),
    ];
    gathers.prop_map(|of| Tree::PerKey(Box::new(of)))
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![3 => gatherer(1), 1 => per_key()];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let parts = || prop::collection::vec(inner.clone(), 1..4);
        let timed = || (inner.clone().prop_map(Box::new), 1..8_u64);
        prop_oneof![
            parts().prop_map(Tree::Any),
            (parts(), limit(), any::<bool>()).prop_map(|(p, l, never)| Tree::All(p, l, never)),
            (prop::collection::vec(inner.clone(), 2..4), limit(), any::<bool>())
                .prop_map(|(p, l, never)| Tree::Sequence(p, l, never)),
            (inner.clone(), 1..4_usize, limit(), any::<bool>())
                .prop_map(|(of, n, l, never)| Tree::Count(Box::new(of), n, l, never)),
            timed().prop_map(|(of, span)| Tree::Absent(of, span)),
            timed().prop_map(|(of, span)| Tree::Debounce(of, span)),
            timed().prop_map(|(of, span)| Tree::Throttle(of, span)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    #[test]
    fn any_nesting_fires_when_the_slow_model_does(
        tree in tree(),
        steps in prop::collection::vec((0..5_u64, 0..3_usize, 1..6_u64), 1..25),
    ) {
        let tasks = format!(
            "keep: {{kind: stream, bash: x}}\na: {{bash: x, start: {}}}", tree.yaml(""),
        );
        let mut s = Scenario::new(&tasks);
        s.replays_each_step = false;
        s.run();
        let (mut moments, mut fired) = (Vec::new(), Vec::new());
        let (mut second, start) = (0, s.firings());
        prop_assert_eq!(start, 0);
        for (pause, key, value) in steps {
            for _ in 0..pause {
                second += 1;
                s.pass("1s");
                fired.extend(std::iter::repeat_n(moments.len(), s.firings()));
                moments.push(Moment { second, event: None });
            }
            s.emit(KEYS[key], &value.to_string());
            fired.extend(std::iter::repeat_n(moments.len(), s.firings()));
            moments.push(Moment { second, event: Some((key, value)) });
        }
        let expected: Vec<usize> = met(&tree, &moments).iter().map(|met| met.at).collect();
        prop_assert_eq!(fired, expected, "{} {:?}", tree.yaml(""), moments);
        prop_assert_eq!(s.count(|r| matches!(r, Record::FilterFailed { .. })), 0);
        s.check_replay();
    }
}
