//! Finds circles, and describes them.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::arrows::Arrows;

/// Files, by their numbers, of which each one leads to each other one.
pub struct Circle(Vec<usize>);

impl Circle {
    /// The shortest way round, then all arrows, each with the names that make it.
    pub fn report(&self, paths: &[String], arrows: &Arrows) -> String {
        let named = |from: usize, to: usize| {
            let names: Vec<&str> = arrows[&(from, to)].iter().map(String::as_str).collect();
            format!(" -> {} ({})", paths[to], names.join(", "))
        };
        let round = self.shortest_round(arrows);
        let mut text = format!("{} files in a circle\n", self.0.len());
        if let Some(first) = round.first() {
            text.push_str(&paths[*first]);
        }
        for (i, file) in round.iter().enumerate() {
            text.push_str(&named(*file, round[(i + 1) % round.len()]));
        }
        text.push_str("\nall arrows:\n");
        for &(from, to) in self.inner(arrows) {
            writeln!(text, "  {}{}", paths[from], named(from, to)).expect("a text takes all");
        }
        text
    }

    /// The arrows that stay within.
    fn inner<'a>(&self, arrows: &'a Arrows) -> impl Iterator<Item = &'a (usize, usize)> {
        arrows.keys().filter(|(from, to)| self.0.contains(from) && self.0.contains(to))
    }

    /// The files of a shortest way from a file back to itself.
    fn shortest_round(&self, arrows: &Arrows) -> Vec<usize> {
        let inner: Vec<(usize, usize)> = self.inner(arrows).copied().collect();
        self.0.iter().filter_map(|&start| round_from(start, &inner)).min_by_key(Vec::len).unwrap_or_default()
    }
}

/// A shortest way from a file back to itself.
fn round_from(start: usize, arrows: &[(usize, usize)]) -> Option<Vec<usize>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = vec![start];
    while let Some(way) = ways.pop_front() {
        let here = way[way.len() - 1];
        for &(_, to) in arrows.iter().filter(|(from, _)| *from == here) {
            if to == start {
                return Some(way);
            }
            if !seen.contains(&to) {
                seen.push(to);
                ways.push_back([way.as_slice(), &[to]].concat());
            }
        }
    }
    None
}

/// The circles of this many files.
pub fn circles(files: usize, arrows: &Arrows) -> Vec<Circle> {
    let mut next = vec![Vec::new(); files];
    for &(from, to) in arrows.keys() {
        next[from].push(to);
    }
    let mut search = Search { next, order: vec![None; files], low: vec![0; files], ..Search::default() };
    for file in 0..files {
        if search.order[file].is_none() {
            search.visit(file);
        }
    }
    search.found.sort_by(|a, b| a.0.cmp(&b.0));
    search.found
}

/// Tarjan's search for what is strongly connected.
#[derive(Default)]
struct Search {
    next: Vec<Vec<usize>>,
    /// When each file was visited.
    order: Vec<Option<usize>>,
    /// The first visited one that each file leads to.
    low: Vec<usize>,
    visits: usize,
    /// What was visited and is in no component yet.
    waiting: Vec<usize>,
    found: Vec<Circle>,
}

impl Search {
    fn visit(&mut self, file: usize) {
        self.order[file] = Some(self.visits);
        self.low[file] = self.visits;
        self.visits += 1;
        let depth = self.waiting.len();
        self.waiting.push(file);
        for to in self.next[file].clone() {
            match self.order[to] {
                None => {
                    self.visit(to);
                    self.low[file] = self.low[file].min(self.low[to]);
                }
                Some(order) if self.waiting.contains(&to) => self.low[file] = self.low[file].min(order),
                Some(_) => {}
            }
        }
        if self.order[file] == Some(self.low[file]) {
            let mut component = self.waiting.split_off(depth);
            if component.len() > 1 {
                component.sort_unstable();
                self.found.push(Circle(component));
            }
        }
    }
}
