//! Two texts line by line, as a unified diff.
//!
//! Must never take time or memory beyond what is said here: texts that have little in common are
//! told as a whole.

/// Lines around a difference that are shown with it.
const CONTEXT: usize = 3;
/// Most lines that are looked for one by one: the shortest way takes the square of it.
const EDITS_MAX: usize = 1_000;

/// One line of the way from one text to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Same,
    Old,
    New,
}

/// The lines that differ, with some around them, each with a sign: ` `, `-` or `+`; places as
/// `@@ -FIRST,LINES +FIRST,LINES @@`. Nothing where the texts are equal.
#[must_use]
pub fn unified(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old == new {
        return Vec::new();
    }
    let steps = steps(&old, &new);
    let mut told = Vec::new();
    let (mut at, mut old_at, mut new_at) = (0, 0, 0);
    while let Some(first) = steps[at..].iter().position(|step| *step != Step::Same) {
        let skipped = first.saturating_sub(CONTEXT);
        (at, old_at, new_at) = (at + skipped, old_at + skipped, new_at + skipped);
        let hunk = &steps[at..at + hunk_length(&steps[at..])];
        let count = |not: Step| hunk.iter().filter(|step| **step != not).count();
        let (in_old, in_new) = (count(Step::New), count(Step::Old));
        told.push(format!("@@ -{},{in_old} +{},{in_new} @@", old_at + 1, new_at + 1));
        for step in hunk {
            let (sign, line) = match step {
                Step::Same => (' ', old[old_at]),
                Step::Old => ('-', old[old_at]),
                Step::New => ('+', new[new_at]),
            };
            told.push(format!("{sign}{line}"));
            old_at += usize::from(*step != Step::New);
            new_at += usize::from(*step != Step::Old);
        }
        at += hunk.len();
    }
    told
}

/// How many steps belong together: differences with no more between them than their surroundings.
fn hunk_length(steps: &[Step]) -> usize {
    let mut end = 0;
    let mut same = 0;
    for (at, step) in steps.iter().enumerate() {
        if *step == Step::Same {
            same += 1;
            if end > 0 && same > 2 * CONTEXT {
                break;
            }
        } else {
            (end, same) = (at + 1, 0);
        }
    }
    (end + CONTEXT).min(steps.len())
}

/// The way from one to the other, what is equal at both ends first put aside.
fn steps(old: &[&str], new: &[&str]) -> Vec<Step> {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let alike = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = alike.take_while(|(old, new)| old == new).count();
    let middle_old = &old_rest[..old_rest.len() - tail];
    let middle_new = &new_rest[..new_rest.len() - tail];
    let mut steps = vec![Step::Same; head];
    steps.extend(shortest(middle_old, middle_new).unwrap_or_else(|| {
        let gone = vec![Step::Old; middle_old.len()];
        [gone, vec![Step::New; middle_new.len()]].concat()
    }));
    steps.extend(vec![Step::Same; tail]);
    steps
}

/// The shortest way, after Myers: for each number of edits the furthest place on each diagonal.
/// None if it takes too many.
fn shortest(old: &[&str], new: &[&str]) -> Option<Vec<Step>> {
    let most = (old.len() + new.len()).min(EDITS_MAX);
    // Diagonal `new - old + most + 1`; the place is that in `new`.
    let mut furthest = vec![0_usize; 2 * most + 3];
    let mut trace: Vec<Vec<usize>> = Vec::new();
    for edits in 0..=most {
        for diagonal in (most + 1 - edits..=most + 1 + edits).step_by(2) {
            let place = reach(&furthest, diagonal, edits, most);
            let (mut at_old, mut at_new) = (place + most + 1 - diagonal, place);
            while at_old < old.len() && at_new < new.len() && old[at_old] == new[at_new] {
                (at_old, at_new) = (at_old + 1, at_new + 1);
            }
            furthest[diagonal] = at_new;
            if at_old >= old.len() && at_new >= new.len() {
                return Some(back(&trace, (old.len(), new.len()), most));
            }
        }
        trace.push(furthest[most + 1 - edits..=most + 1 + edits].to_vec());
    }
    None
}

/// How far one more edit comes on a diagonal, before what is equal.
fn reach(furthest: &[usize], diagonal: usize, edits: usize, most: usize) -> usize {
    let (below, above) = (furthest[diagonal - 1], furthest[diagonal + 1]);
    match edits {
        0 => 0,
        _ if diagonal == most + 1 - edits => above,
        _ if diagonal == most + 1 + edits => below + 1,
        _ => above.max(below + 1),
    }
}

/// Goes back from the end through the furthest places of each number of edits.
fn back(trace: &[Vec<usize>], (mut old, mut new): (usize, usize), most: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    for edits in (1..=trace.len()).rev() {
        // The row of one edit less, with its first diagonal.
        let (row, first) = (&trace[edits - 1], most + 2 - edits);
        let diagonal = new + most + 1 - old;
        let place = |diagonal: usize| diagonal.checked_sub(first).and_then(|at| row.get(at));
        let (below, above) = (place(diagonal - 1), place(diagonal + 1));
        let inserts = below.is_some_and(|below| above.is_none_or(|above| below + 1 >= *above));
        let start_new = if inserts { below.map(|at| at + 1) } else { above.copied() };
        let start_new = start_new.unwrap_or(0);
        while new > start_new && old > 0 {
            steps.push(Step::Same);
            (old, new) = (old - 1, new - 1);
        }
        if inserts {
            steps.push(Step::New);
            new -= 1;
        } else {
            steps.push(Step::Old);
            old -= 1;
        }
    }
    steps.extend(vec![Step::Same; old]);
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is left of a diff that shows all lines when those of one text are taken out.
    fn side(steps: &[Step], old: &[&str], new: &[&str], without: Step) -> Vec<String> {
        let (mut old, mut new) = (old.iter(), new.iter());
        let mut lines = Vec::new();
        for step in steps {
            let line = match step {
                Step::Same => {
                    assert_eq!(old.as_slice()[0], new.as_slice()[0]);
                    new.next();
                    old.next()
                }
                Step::Old => old.next(),
                Step::New => new.next(),
            };
            if *step != without {
                lines.push((*line.unwrap()).to_owned());
            }
        }
        assert!(old.next().is_none() && new.next().is_none());
        lines
    }

    /// The length of the longest common part, by the book.
    fn common(old: &[&str], new: &[&str]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for line in old {
            let mut diagonal = 0;
            for (at, other) in new.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if line == other { diagonal + 1 } else { above.max(row[at]) };
                diagonal = above;
            }
        }
        row[new.len()]
    }

    proptest! {
        #[test]
        fn the_way_leads_from_one_to_the_other_and_none_is_shorter(
            old in prop::collection::vec("[abc]", 0..14),
            new in prop::collection::vec("[abc]", 0..14),
        ) {
            let old: Vec<&str> = old.iter().map(String::as_str).collect();
            let new: Vec<&str> = new.iter().map(String::as_str).collect();
            let steps = steps(&old, &new);
            prop_assert_eq!(side(&steps, &old, &new, Step::New), old.clone());
            prop_assert_eq!(side(&steps, &old, &new, Step::Old), new.clone());
            let same = steps.iter().filter(|step| **step == Step::Same).count();
            prop_assert_eq!(same, common(&old, &new));
        }
    }

    #[test]
    fn what_is_around_a_difference_is_shown_and_what_is_far_is_not() {
        let old: String = (1..=30).map(|line| format!("{line}\n")).collect();
        let new = old.replace("\n10\n", "\nten\n").replace("\n27\n", "\n27\nmore\n");
        let told = unified(&old, &new);
        let wanted = "@@ -7,7 +7,7 @@| 7| 8| 9|-10|+ten| 11| 12| 13|@@ -25,6 +25,7 @@| 25| 26| 27|\
                      +more| 28| 29| 30";
        assert_eq!(told.join("|"), wanted);
        assert_eq!(unified(&old, &old), Vec::<String>::new());
        assert_eq!(unified("", "a\n"), ["@@ -1,0 +1,1 @@", "+a"]);
    }

    #[test]
    fn texts_with_little_in_common_are_told_as_a_whole() {
        let old: String = (0..3_000).map(|line| format!("old {line}\n")).collect();
        let new: String = (0..3_000).map(|line| format!("new {line}\n")).collect();
        let told = unified(&old, &new);
        assert_eq!(told.len(), 6_001);
        assert!(told[1].starts_with("-old") && told[6_000].starts_with("+new"));
    }
}
