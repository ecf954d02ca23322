//! The positions of the boxes.
//!
//! General graph layouts (layers with few crossings) give an unreadable result here, because every chain reaches the
//! few shared ends. But the graph is nearly a list of trees, so it is placed in this form: the top-level chains are
//! below one another, in the order in which entries reach them; the chains that each of them jumps to are to its right,
//! in the column after the caller. A chain that is used from several of these trees is placed below all of them, and
//! where it is used, only its name is written. So each line goes from one column to the next, through the gap between
//! them, and never through a box.

use std::collections::BTreeSet;

use super::picture::{ChainKind, ChainNumber, Picture};

/// The width of a box, and of the gap between two columns.
pub(super) const BOX: i64 = 372;
pub(super) const GAP: i64 = 84;

/// The space between two boxes of a column, and between two bands.
const BETWEEN: i64 = 18;
const BANDS: i64 = 34;

/// The space around everything.
pub(super) const MARGIN: i64 = 28;

/// The heights of a box's parts.
pub(super) const HEAD: i64 = 30;
pub(super) const LINE: i64 = 17;
pub(super) const PAD: i64 = 7;

/// The height of a section's title.
pub(super) const TITLE: i64 = 56;

/// A box with its position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) height: i64,
}

/// The jumps that are drawn as lines.
pub(super) struct Lines {
    /// The caller of each chain, after which it is placed.
    parents: Vec<Option<ChainNumber>>,
    all: BTreeSet<(ChainNumber, ChainNumber)>,
}

impl Lines {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(ChainNumber, ChainNumber)> {
        self.all.iter()
    }

    pub(super) fn has(&self, from: ChainNumber, to: ChainNumber) -> bool {
        self.all.contains(&(from, to))
    }

    fn parent(&self, chain: ChainNumber) -> Option<ChainNumber> {
        self.parents[chain]
    }
}

/// The position of a row in its box.
pub(super) struct Row {
    pub(super) top: i64,
    pub(super) height: i64,
}

pub(super) struct Layout {
    pub(super) spots: Vec<Spot>,
    /// The jumps that are lines; the others are names.
    pub(super) lines: Lines,
    /// The titles of sections, with their height.
    pub(super) titles: Vec<(&'static str, i64)>,
    pub(super) width: i64,
    pub(super) height: i64,
}

impl Layout {
    pub(super) fn of(picture: &Picture) -> Layout {
        let trees = Trees::of(picture);
        let mut layout = Layout {
            spots: vec![Spot::default(); picture.chains.len()],
            lines: trees.lines(picture),
            titles: Vec::new(),
            width: 0,
            height: MARGIN,
        };
        for (n, _) in picture.chains.iter().enumerate() {
            layout.spots[n].height =
                rows(picture, n, &layout.lines).last().map_or(HEAD, |row| row.top + row.height)
                    + i64::from(footer(picture, n).is_some()) * LINE
                    + PAD;
        }
        let roots = |wanted: fn(ChainKind) -> bool| -> Vec<ChainNumber> {
            let all = 0..picture.chains.len();
            all.filter(|n| trees.home[*n] == *n && wanted(picture.chains[*n].kind)).collect()
        };
        let sections = [
            ("", roots(|kind| matches!(kind, ChainKind::TopLevel(_)))),
            ("Chains used from several of these", roots(|kind| kind == ChainKind::Jump)),
            ("Chains that no entry reaches", roots(|kind| kind == ChainKind::Unreachable)),
        ];
        for (title, roots) in sections {
            if roots.is_empty() {
                continue;
            }
            if !title.is_empty() {
                layout.titles.push((title, layout.height));
                layout.height += TITLE;
            }
            if title.is_empty() {
                for root in roots {
                    layout.height = layout.place_tree(picture, root, 0, layout.height) + BANDS;
                }
            } else {
                layout.place_side_by_side(picture, &roots);
            }
        }
        layout.height += MARGIN - BANDS;
        let right = layout.spots.iter().map(|spot| spot.x + BOX).max().unwrap_or(0);
        layout.width = right + MARGIN;
        layout
    }

    /// Places a chain and its successors; returns where the next one may begin.
    fn place_tree(&mut self, picture: &Picture, root: ChainNumber, column: usize, top: i64) -> i64 {
        let mut free: Vec<i64> = Vec::new();
        let mut waiting = vec![(root, column, top)];
        let mut bottom = top;
        // Our own stack: chains may jump a hundred thousand deep.
        while let Some((chain, column, wanted)) = waiting.pop() {
            if free.len() <= column {
                free.resize(column + 1, top);
            }
            let y = wanted.max(free[column]);
            let height = self.spots[chain].height;
            self.spots[chain].x = MARGIN + i64::try_from(column).unwrap_or(0) * (BOX + GAP);
            self.spots[chain].y = y;
            free[column] = y + height + BETWEEN;
            bottom = bottom.max(y + height);
            let rows = rows(picture, chain, &self.lines);
            let mut children: Vec<(ChainNumber, i64)> = Vec::new();
            for (step, row) in picture.chains[chain].steps.iter().zip(&rows) {
                for (_, to) in step.jumps() {
                    let is_first = self.lines.parent(to) == Some(chain);
                    if is_first && !children.iter().any(|(known, _)| *known == to) {
                        children.push((to, y + row.top - HEAD / 2));
                    }
                }
            }
            waiting.extend(
                children.into_iter().rev().map(|(child, wanted)| (child, column + 1, wanted.max(top))),
            );
        }
        bottom
    }

    /// Places small trees in as many columns as the main part has, each in the column that ends first.
    fn place_side_by_side(&mut self, picture: &Picture, roots: &[ChainNumber]) {
        let right = self.spots.iter().map(|spot| spot.x).max().unwrap_or(0);
        let columns = usize::try_from((right - MARGIN).max(0) / (BOX + GAP)).unwrap_or(0) + 1;
        let start = self.height;
        let mut free = vec![start; columns];
        for root in roots {
            let depth = self.depth(picture, *root).min(columns);
            // The leftmost group of neighbouring columns that ends highest.
            let best = (0..=columns - depth).min_by_key(|at| free[*at..*at + depth].iter().max().copied());
            let at = best.unwrap_or(0);
            let top = free[at..at + depth].iter().max().copied().unwrap_or(start);
            let bottom = self.place_tree(picture, *root, at, top) + BANDS;
            for column in &mut free[at..at + depth] {
                *column = bottom;
            }
        }
        self.height = free.into_iter().max().unwrap_or(start);
    }

    /// Returns the number of columns of a tree.
    fn depth(&self, picture: &Picture, root: ChainNumber) -> usize {
        let mut deepest = 1;
        let mut waiting = vec![(root, 1)];
        while let Some((chain, depth)) = waiting.pop() {
            deepest = deepest.max(depth);
            let targets = picture.chains[chain].targets();
            let children = targets.filter(|to| self.lines.parent(*to) == Some(chain));
            waiting.extend(children.map(|to| (to, depth + 1)));
        }
        deepest
    }
}

/// Returns the rows of a box, one for each step: two lines for the step, and one for each exit that is only named.
pub(super) fn rows(picture: &Picture, chain: ChainNumber, lines: &Lines) -> Vec<Row> {
    let mut top = HEAD;
    let steps = picture.chains[chain].steps.iter();
    steps
        .map(|step| {
            let named = step.jumps().filter(|(_, to)| !lines.has(chain, *to)).count();
            let drawn = step.jumps().count() - named;
            let own = 1 + usize::from(!step.main_argument.is_empty() || drawn > 1);
            let height = PAD + LINE * i64::try_from(own + named).unwrap_or(2);
            let row = Row { top, height };
            top += height;
            row
        })
        .collect()
}

/// Returns the text below the steps: where an entry continues without a jump. On the main path, the arrow to the next
/// box shows this.
pub(super) fn footer(picture: &Picture, chain: ChainNumber) -> Option<String> {
    let next = picture.next_on_main_way(chain);
    let chain = &picture.chains[chain];
    match (chain.kind, chain.goes_on_at.as_slice()) {
        (ChainKind::Unreachable, _) | (_, []) => None,
        (_, [one]) if one.is_some() && *one == next => None,
        (_, [None]) => Some("otherwise the entry stops".into()),
        (_, [Some(to)]) => match picture.chains[*to].kind {
            ChainKind::TopLevel(number) => {
                Some(format!("otherwise continue at {number} · {}", picture.chains[*to].label))
            }
            _ => None,
        },
        (ChainKind::TopLevel(_), _) => Some("after a jump: continue after the caller".into()),
        (ChainKind::Jump, _) => Some("otherwise continue after the caller".into()),
    }
}

/// The tree of each chain, and its column.
struct Trees {
    home: Vec<ChainNumber>,
    column: Vec<usize>,
}

impl Trees {
    fn of(picture: &Picture) -> Trees {
        let count = picture.chains.len();
        let mut trees = Trees { home: (0..count).collect(), column: vec![0; count] };
        for n in callers_first(picture) {
            let chain = &picture.chains[n];
            if chain.kind != ChainKind::Jump || chain.quiet && chain.callers.len() > 1 {
                continue;
            }
            let mut homes = chain.callers.iter().map(|caller| trees.home[*caller]);
            let Some(first) = homes.next() else { continue };
            if homes.all(|home| home == first) {
                trees.home[n] = first;
                trees.column[n] =
                    1 + chain.callers.iter().map(|caller| trees.column[*caller]).max().unwrap_or(0);
            }
        }
        trees
    }

    /// Returns the jumps from one column to the next one of the same tree.
    fn lines(&self, picture: &Picture) -> Lines {
        let mut lines = Lines { parents: vec![None; picture.chains.len()], all: BTreeSet::new() };
        for (n, chain) in picture.chains.iter().enumerate() {
            if self.home[n] == n {
                continue;
            }
            for caller in chain.callers.iter().filter(|caller| self.column[**caller] + 1 == self.column[n]) {
                lines.parents[n].get_or_insert(*caller);
                lines.all.insert((*caller, n));
            }
        }
        lines
    }
}

/// Returns all chains, each after those that jump to it; there are no loops.
fn callers_first(picture: &Picture) -> Vec<ChainNumber> {
    let mut missing: Vec<usize> = picture.chains.iter().map(|chain| chain.callers.len()).collect();
    let mut ready: Vec<ChainNumber> = (0..missing.len()).rev().filter(|n| missing[*n] == 0).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(chain) = ready.pop() {
        order.push(chain);
        if picture.chains[chain].kind == ChainKind::Unreachable {
            continue;
        }
        let targets: BTreeSet<ChainNumber> = picture.chains[chain].targets().collect();
        for to in targets {
            missing[to] -= 1;
            if missing[to] == 0 {
                ready.push(to);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::picture::{Chain, Step};
    use super::*;

    /// A picture whose chains jump to later ones only, in order of the numbers given.
    fn picture(jumps: &[Vec<(Option<usize>, Option<usize>)>]) -> Picture {
        let count = jumps.len();
        let later = |n: usize, to: Option<usize>| to.map(|to| n + 1 + to).filter(|to| *to < count);
        let mut chains: Vec<Chain> = Vec::new();
        for (n, steps) in jumps.iter().enumerate() {
            let steps = steps.iter().map(|(then, otherwise)| Step {
                kind: "filter",
                module: "filter_equals".into(),
                main_argument: if n % 3 == 0 { String::new() } else { "a: b".into() },
                then: later(n, *then),
                otherwise: later(n, *otherwise),
                reachable: true,
                ends: false,
            });
            chains.push(Chain {
                label: n.to_string(),
                kind: ChainKind::TopLevel(n + 1),
                steps: steps.collect(),
                goes_on_at: Vec::new(),
                callers: Vec::new(),
                quiet: n % 7 == 6,
            });
        }
        for caller in 0..count {
            let targets: Vec<usize> = chains[caller].targets().collect();
            for to in targets {
                chains[to].kind = ChainKind::Jump;
                if !chains[to].callers.contains(&caller) {
                    chains[to].callers.push(caller);
                }
            }
        }
        Picture { file: "test".into(), chains }
    }

    proptest! {
        #[test]
        fn no_box_lies_on_another_and_no_line_crosses_one(
            jumps in proptest::collection::vec(
                proptest::collection::vec((proptest::option::of(0_usize..6), proptest::option::of(0_usize..6)), 1..4),
                1..40,
            ),
        ) {
            let picture = picture(&jumps);
            let layout = Layout::of(&picture);
            for (a, one) in layout.spots.iter().enumerate() {
                prop_assert!(one.y >= MARGIN && one.x >= MARGIN, "box {a} is out of the picture: {one:?}");
                prop_assert!(one.x + BOX <= layout.width && one.y + one.height <= layout.height, "{a}: {one:?}");
                for (b, other) in layout.spots.iter().enumerate().skip(a + 1) {
                    let apart = one.x != other.x || one.y + one.height < other.y || other.y + other.height < one.y;
                    prop_assert!(apart, "{a} {one:?} and {b} {other:?}");
                }
            }
            // A line leaves its box at the right and stays in the gap behind it: no box is there.
            for (from, to) in layout.lines.iter() {
                prop_assert_eq!(layout.spots[*from].x + BOX + GAP, layout.spots[*to].x);
            }
            // What is no line is named in its row, so every jump can be followed.
            for (n, chain) in picture.chains.iter().enumerate() {
                let rows = rows(&picture, n, &layout.lines);
                prop_assert_eq!(rows.len(), chain.steps.len());
            }
        }
    }
}
