//! Who has to come before whom, and the circles in that.

use std::collections::{BTreeMap, VecDeque};

/// Why one transaction comes before another. The larger, the weaker a cycle with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// It appended, and the other one appended after that.
    Ww,
    /// It appended, and the other one read that.
    Wr,
    /// It read, and the other one appended after what it read.
    Rw,
}

/// One transaction before another, because of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) why: Why,
    pub(super) key: u32,
    /// Place in the list: of what was appended before, or of what was appended after a read.
    pub(super) at: u32,
}

/// Transactions by number, with the edges that begin at each.
#[derive(Debug)]
pub(super) struct Graph {
    /// For each node where its edges begin, and the end of the last one's.
    starts: Vec<u32>,
    edges: Vec<Edge>,
}

impl Graph {
    /// With the edges in order of where they begin; `u32` counts them, which is what four billion need.
    pub(super) fn new(nodes: usize, unordered: &[Edge]) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for edge in unordered {
            starts[edge.from as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut edges = unordered.to_vec();
        for edge in unordered {
            let place = &mut next[edge.from as usize];
            edges[*place as usize] = *edge;
            *place += 1;
        }
        Self { starts, edges }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn from(&self, node: u32) -> &[Edge] {
        &self.edges[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    /// The sets of two and more nodes of which each reaches each (Tarjan, 1972, without recursion).
    pub(super) fn components(&self) -> Vec<Vec<u32>> {
        const NEW: u32 = u32::MAX;
        let nodes = self.len();
        let (mut index, mut low) = (vec![NEW; nodes], vec![0_u32; nodes]);
        let mut on_stack = vec![false; nodes];
        let (mut stack, mut path) = (Vec::new(), Vec::new());
        let (mut count, mut found) = (0, Vec::new());
        for root in 0..u32::try_from(nodes).unwrap_or(NEW) {
            if index[root as usize] != NEW {
                continue;
            }
            path.push((root, self.starts[root as usize]));
            while let Some((node, at)) = path.last_mut() {
                let here = *node as usize;
                if index[here] == NEW {
                    (index[here], low[here]) = (count, count);
                    count += 1;
                    stack.push(*node);
                    on_stack[here] = true;
                }
                if *at < self.starts[here + 1] {
                    let to = self.edges[*at as usize].to;
                    *at += 1;
                    if index[to as usize] == NEW {
                        path.push((to, self.starts[to as usize]));
                    } else if on_stack[to as usize] {
                        low[here] = low[here].min(index[to as usize]);
                    }
                    continue;
                }
                path.pop();
                if let Some((above, _)) = path.last() {
                    low[*above as usize] = low[*above as usize].min(low[here]);
                }
                if low[here] == index[here] {
                    let begin = stack.iter().rposition(|&n| n as usize == here).unwrap_or(0);
                    let component = stack.split_off(begin);
                    for &node in &component {
                        on_stack[node as usize] = false;
                    }
                    if component.len() > 1 {
                        found.push(component);
                    }
                }
            }
        }
        found
    }

    /// The part of these nodes, as a graph of its own whose nodes are their places in the list.
    pub(super) fn part(&self, nodes: &[u32]) -> Self {
        let place: BTreeMap<u32, u32> = nodes.iter().copied().zip(0..).collect();
        let all = nodes.iter().flat_map(|&node| self.from(node));
        let inside = all.filter_map(|edge| {
            let (from, to) = (*place.get(&edge.from)?, *place.get(&edge.to)?);
            Some(Edge { from, to, ..*edge })
        });
        Self::new(nodes.len(), &inside.collect::<Vec<_>>())
    }

    /// The part with the edges that fit.
    pub(super) fn filtered(&self, fits: impl Fn(&Edge) -> bool) -> Self {
        let edges: Vec<Edge> = self.edges.iter().filter(|edge| fits(edge)).copied().collect();
        Self::new(self.len(), &edges)
    }

    /// All edges.
    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// A shortest way from one node to another; a node's way to itself has at least one edge. Every edge that is looked at
    /// takes one from the budget; none where it is used up.
    pub(super) fn way(&self, from: u32, to: u32, budget: &mut usize) -> Option<Vec<Edge>> {
        let mut came: Vec<Option<Edge>> = vec![None; self.len()];
        let mut next = VecDeque::from([from]);
        while let Some(node) = next.pop_front() {
            for edge in self.from(node) {
                *budget = budget.checked_sub(1)?;
                if came[edge.to as usize].is_none() {
                    came[edge.to as usize] = Some(*edge);
                    next.push_back(edge.to);
                }
                if edge.to == to {
                    let mut way = Vec::new();
                    let mut at = to;
                    while let Some(edge) = came[at as usize] {
                        way.push(edge);
                        at = edge.from;
                        if at == from {
                            break;
                        }
                    }
                    way.reverse();
                    return Some(way);
                }
            }
        }
        None
    }
}
