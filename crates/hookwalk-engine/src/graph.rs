use hookwalk_parser::{Backend, Table};
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use rustc_hash::FxHashMap;

use crate::problem::{Problem, Site};

/// The chains of one table and the rules that lead from one to another.
///
/// It answers what is about the shape: which chains a jump can loop through, how deep jumps go.
/// Packets do not walk it; they walk the flat program.
pub(crate) struct ChainGraph {
    graph: DiGraph<(), Edge>,
    /// For each chain, the number of the group of chains that reach each other; empty without loops.
    component: Vec<usize>,
    /// Whether the chain can be reached from itself; empty without loops.
    in_loop: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    rule: u32,
}

impl ChainGraph {
    /// The graph of so many chains, still without jumps.
    pub(crate) fn new(chains: usize) -> Self {
        let mut graph = DiGraph::with_capacity(chains, chains);
        for _ in 0..chains {
            graph.add_node(());
        }
        ChainGraph { graph, component: Vec::new(), in_loop: Vec::new() }
    }

    /// Notes that a rule of a chain leads to another one; both must be chains of the graph.
    pub(crate) fn add_jump(&mut self, from: u32, rule: u32, to: u32) {
        self.graph.add_edge(NodeIndex::new(from as usize), NodeIndex::new(to as usize), Edge { rule });
    }

    /// The jumps that can come back to where they start: the chain, and the rule in it.
    pub(crate) fn close(&mut self) -> Vec<(u32, u32)> {
        if toposort(&self.graph, None).is_ok() {
            return Vec::new();
        }
        self.find_loops();
        let edges = self.graph.edge_references();
        let closing = edges.filter(|edge| self.closes_loop(edge.source().index(), edge.target().index()));
        let id = |chain: NodeIndex| u32::try_from(chain.index()).unwrap_or(u32::MAX);
        closing.map(|edge| (id(edge.source()), edge.weight().rule)).collect()
    }

    fn find_loops(&mut self) {
        let graph = &self.graph;
        let mut component = vec![0; graph.node_count()];
        let mut in_loop = vec![false; graph.node_count()];
        // Kosaraju, not Tarjan: the latter recurses, and a hostile dump has chains as deep as it is long.
        for (number, group) in kosaraju_scc(graph).into_iter().enumerate() {
            let loops = group.len() > 1 || group.iter().any(|&node| graph.contains_edge(node, node));
            for chain in group.into_iter().map(NodeIndex::index) {
                if let (Some(component), Some(in_loop)) = (component.get_mut(chain), in_loop.get_mut(chain)) {
                    (*component, *in_loop) = (number, loops);
                }
            }
        }
        (self.component, self.in_loop) = (component, in_loop);
    }

    /// Whether any chain can be reached from itself.
    fn has_loops(&self) -> bool {
        !self.in_loop.is_empty()
    }

    /// Whether a jump between two chains can come back to the first.
    fn closes_loop(&self, from: usize, to: usize) -> bool {
        self.in_loop.get(from) == Some(&true) && self.component.get(from) == self.component.get(to)
    }

    /// The loops that the kernel would refuse: those that a built-in chain reaches. Loops that
    /// nothing reaches load (kernel: `net/ipv4/netfilter/ip_tables.c`, `mark_source_chains`).
    pub(crate) fn loops(&self, table: &Table, dump: usize) -> Vec<Problem> {
        if !self.has_loops() {
            return Vec::new();
        }
        let reachable = self.reachable_from_hooks(table);
        let mut told = vec![false; self.component.len()];
        let mut loops = Vec::new();
        for (chain, is_in_loop) in self.in_loop.iter().enumerate() {
            let component = self.component.get(chain).copied().unwrap_or_default();
            let Some(told) = told.get_mut(component) else { continue };
            if !*is_in_loop || *told || reachable.get(chain) != Some(&true) {
                continue;
            }
            *told = true;
            let path = self
                .path_back(chain)
                .into_iter()
                .map(|(chain, rule)| site(table, dump, chain, rule))
                .collect();
            loops.push(Problem::JumpLoop { path });
        }
        loops
    }

    /// nft carries at most 15 jumps (kernel: `NFT_JUMP_STACK_SIZE` 16), gotos included.
    pub(crate) fn too_deep(&self, table: &Table, dump: usize) -> Option<Problem> {
        const DEEPEST: usize = 15;
        if table.backend != Some(Backend::Nft) || self.has_loops() {
            return None;
        }
        let order = toposort(&self.graph, None).ok()?;
        let mut depth = vec![0_usize; order.len()];
        for node in order {
            let here = depth.get(node.index()).copied().unwrap_or(0);
            for to in self.graph.neighbors(node) {
                if let Some(there) = depth.get_mut(to.index()) {
                    *there = (*there).max(here + 1);
                }
            }
        }
        let (chain, depth) = depth.into_iter().enumerate().max_by_key(|&(_, depth)| depth)?;
        let name = table.chains.get(chain)?;
        (depth > DEEPEST).then(|| Problem::TooDeep {
            table: table.name.clone(),
            chain: name.name.clone(),
            line: name.line,
            depth,
            dump,
        })
    }

    fn reachable_from_hooks(&self, table: &Table) -> Vec<bool> {
        let mut reachable = vec![false; table.chains.len()];
        let mut stack: Vec<NodeIndex> = self
            .graph
            .node_indices()
            .filter(|node| {
                table.chains.get(node.index()).is_some_and(|c| table.is_builtin(c.name.as_bytes()))
            })
            .collect();
        while let Some(node) = stack.pop() {
            if let Some(seen) = reachable.get_mut(node.index())
                && !std::mem::replace(seen, true)
            {
                stack.extend(self.graph.neighbors(node));
            }
        }
        reachable
    }

    /// A shortest way from a chain back to itself: chains and the rules that lead on.
    fn path_back(&self, chain: usize) -> Vec<(usize, usize)> {
        let start = NodeIndex::new(chain);
        let mut came_by: FxHashMap<NodeIndex, (NodeIndex, usize)> = FxHashMap::default();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for edge in self.graph.edges(node) {
                let to = edge.target();
                if to == start {
                    let mut path = vec![(node.index(), edge.weight().rule as usize)];
                    let mut at = node;
                    while let Some(&(before, rule)) = came_by.get(&at).filter(|_| at != start) {
                        path.push((before.index(), rule));
                        at = before;
                    }
                    path.reverse();
                    return path;
                }
                if to != start && !came_by.contains_key(&to) {
                    came_by.insert(to, (node, edge.weight().rule as usize));
                    queue.push_back(to);
                }
            }
        }
        Vec::new()
    }
}

fn site(table: &Table, dump: usize, chain: usize, rule: usize) -> Site {
    let chain = table.chains.get(chain);
    Site {
        dump,
        table: table.name.clone(),
        chain: chain.map(|c| c.name.clone()).unwrap_or_default(),
        rule: rule + 1,
        line: chain.and_then(|c| c.rules.get(rule)).map_or(0, |r| r.line),
    }
}
