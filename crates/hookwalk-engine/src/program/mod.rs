//! The rules of one family as the kernel runs them: one flat array, jumps resolved, conditions ready.

mod condition;
mod names;

use std::ops::Range;

use hookwalk_parser::extensions::{ConnmarkAction, Match, StatisticMode, Target};
use hookwalk_parser::types::{Family, Text};
use hookwalk_parser::{Backend, Chain, Dump, Policy, Rule, Table, TableEnd};

pub(crate) use condition::{Condition, Judged, Looks, Net, Reach, add_ports};

use crate::extensions;
use crate::graph::ChainGraph;
use crate::packet::Packet;
use crate::problem::{Problem, Site};
use crate::state::{GrantedSet, State};
use names::Names;

/// A point at which the kernel hands a packet to the tables (netfilter.org, "hooks").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// On arrival, before routing.
    Prerouting,
    /// Before delivery to this node.
    Input,
    /// Between two interfaces.
    Forward,
    /// Sent by this node.
    Output,
    /// Before leaving.
    Postrouting,
}

impl Hook {
    /// The name of the built-in chains of this hook.
    pub const fn name(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }

    const ALL: [Hook; 5] = [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];
}

/// The tables, in the order of their priority where several meet at one hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableName {
    /// Before connection tracking.
    Raw,
    /// Marks and header fields.
    Mangle,
    /// Address translation.
    Nat,
    /// Accept or not.
    Filter,
    /// `SELinux` marks.
    Security,
}

impl TableName {
    /// The name behind `*` in a dump.
    pub const fn name(self) -> &'static str {
        match self {
            TableName::Raw => "raw",
            TableName::Mangle => "mangle",
            TableName::Nat => "nat",
            TableName::Filter => "filter",
            TableName::Security => "security",
        }
    }

    pub(crate) const ALL: [TableName; 5] =
        [TableName::Raw, TableName::Mangle, TableName::Nat, TableName::Filter, TableName::Security];

    /// Whether the table has a chain at a hook.
    pub(crate) const fn has_hook(self, hook: Hook) -> bool {
        match self {
            TableName::Raw => matches!(hook, Hook::Prerouting | Hook::Output),
            TableName::Mangle => true,
            TableName::Nat => !matches!(hook, Hook::Forward),
            TableName::Filter | TableName::Security => {
                matches!(hook, Hook::Input | Hook::Forward | Hook::Output)
            }
        }
    }
}

/// The index of a chain in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChainId(pub(crate) u32);

/// The index of a target that does something to the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TargetId(u32);

/// The index of a rule in the program; rules of a chain follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RuleId(pub(crate) u32);

impl RuleId {
    /// The rule behind this one.
    pub(crate) const fn next(self) -> RuleId {
        RuleId(self.0 + 1)
    }
}

/// The rules of one family as one flat array, jumps resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    rules: Vec<Step>,
    /// Those of the first rule, then those of the next.
    conditions: Vec<Condition>,
    /// What rules do that do more than lead on, by their [`TargetId`].
    targets: Vec<Target>,
    chains: Vec<CompiledChain>,
    /// Which chains a table has at a hook, by table, hook and backend.
    hooks: [[[Entry; BACKENDS]; 5]; 5],
    /// Which tables a dump has, at least in part.
    has_table: [bool; 5],
    /// Whether a dump that tells no family was taken for one of this.
    pub(crate) family_taken_for_granted: bool,
    /// Whether any rule needs connection tracking, which also puts fragments together.
    pub(crate) tracks: bool,
    /// Whether any rule writes the mark of a connection.
    pub(crate) marks_connections: bool,
    /// Whether any rule of table raw does.
    pub(crate) marks_templates: bool,
}

/// The two kernel interfaces, whose rules one node can have side by side.
const BACKENDS: usize = 2;

/// A table of a dump, and what is known of it.
struct Source<'d> {
    dump: usize,
    at: usize,
    table: &'d Table,
    /// 0 for legacy and unknown, 1 for nft.
    side: usize,
    /// Whether its dump is whole.
    whole: bool,
    family_unknown: bool,
}

/// The tables of one family. A table without an address of its own is of the family of the table before
/// it, or else of any that its dump names.
fn sources(dumps: &[Dump], family: Family) -> Vec<Source<'_>> {
    let mut sources = Vec::new();
    for (number, dump) in dumps.iter().enumerate() {
        let mut last = dump.tables().iter().find_map(|table| table.family);
        for (at, table) in dump.tables().iter().enumerate() {
            last = table.family.or(last);
            if last.is_none_or(|known| known == family) {
                let side = usize::from(table.backend == Some(Backend::Nft));
                let (whole, family_unknown) = (dump.is_whole(), last.is_none());
                sources.push(Source { dump: number, at, table, side, whole, family_unknown });
            }
        }
    }
    sources
}

/// What the dumps say of one table at one hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nothing stands there, and the dump is whole: packets pass.
    #[default]
    Empty,
    /// The built-in chain.
    Chain(ChainId),
    /// The dumps do not hold it and might.
    NotInDump,
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledChain {
    pub(crate) place: ChainPlace,
    pub(crate) table: TableName,
    pub(crate) first: RuleId,
    /// Behind the last rule.
    pub(crate) end: RuleId,
    /// Where a packet comes no further: behind the last rule, or before text that is missing.
    pub(crate) stop: RuleId,
    pub(crate) policy: Option<Policy>,
    /// Whether it is one of the nft backend.
    pub(crate) is_nft: bool,
    /// The line of the first text that is missing.
    pub(crate) gap: Option<u32>,
}

/// Where a chain stands in the dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChainPlace {
    pub(crate) dump: u32,
    table: u32,
    chain: u32,
}

impl ChainPlace {
    pub(crate) fn new(dump: usize, table: usize, chain: usize) -> Self {
        ChainPlace { dump: id(dump), table: id(table), chain: id(chain) }
    }

    /// The chain as the dump has it.
    pub(crate) fn chain(self, dumps: &[Dump]) -> Option<&Chain> {
        dumps.get(self.dump as usize)?.tables().get(self.table as usize)?.chains.get(self.chain as usize)
    }
}

/// One rule, as far as the way of a packet through the chains depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) chain: ChainId,
    pub(crate) go: Go,
    /// Whether a match of it keeps anything of having been asked.
    pub(crate) has_memory: bool,
    /// What a packet that matches takes for granted.
    pub(crate) granted: GrantedSet,
    /// Whether its conditions tell all that it asks.
    told: bool,
    /// Whether they do and one draw is among them: when that has come out so, the rule matches.
    pub(crate) draws_once: bool,
    /// What they look at.
    looks: Looks,
    /// Its conditions: the first of them, and how many there are.
    conditions: (u32, u16),
}

/// Where a packet goes that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    /// To the next rule.
    On,
    Accept,
    Drop,
    Return,
    Jump(ChainId),
    Goto(ChainId),
    /// The target itself tells.
    Target(TargetId),
    /// To a chain that is not there.
    Missing,
    /// Round in a loop.
    Loop,
}

impl Program {
    /// Compiles what the dumps hold of one family.
    pub(crate) fn compile(dumps: &[Dump], family: Family, problems: &mut Vec<Problem>) -> Program {
        let mut program = Program::default();
        let tables = sources(dumps, family);
        program.family_taken_for_granted = tables.iter().any(|source| source.family_unknown);
        let of_backend = |side: usize| tables.iter().filter(move |source| source.side == side);
        for side in 0..BACKENDS {
            // A backend that no dump is of has no rules; where there is no dump at all, nothing is known.
            if of_backend(side).next().is_none() && (side > 0 || of_backend(1).next().is_some()) {
                continue;
            }
            let whole = of_backend(side).any(|source| source.whole);
            for name in TableName::ALL {
                let mut same = of_backend(side).filter(|source| source.table.name == name.name());
                if let Some(first) = same.next()
                    && let Some(second) = same.find(|second| second.dump != first.dump)
                {
                    problems.push(Problem::SecondTable {
                        dump: second.dump,
                        table: second.table.name.clone(),
                        line: second.table.line.unwrap_or(1),
                        earlier: first.dump,
                    });
                }
                // Of two tables of one name the later one holds: that is what restoring them leaves.
                match of_backend(side).rfind(|source| source.table.name == name.name()) {
                    Some(source) if source.table.end == TableEnd::Incompatible => {
                        program.not_in_dump(name, side);
                    }
                    Some(source) => program.add_table(name, source, problems),
                    None if whole => {}
                    None => program.not_in_dump(name, side),
                }
            }
        }
        program
    }

    fn not_in_dump(&mut self, name: TableName, side: usize) {
        for hook in Hook::ALL.into_iter().filter(|&hook| name.has_hook(hook)) {
            self.set_entry(name, hook, side, Entry::NotInDump);
        }
    }

    fn add_table(&mut self, name: TableName, source: &Source<'_>, problems: &mut Vec<Problem>) {
        let Source { dump, at, table, side, .. } = *source;
        let names = Names::of(&table.chains);
        if let Some(has_table) = self.has_table.get_mut(name as usize) {
            *has_table = true;
        }
        let names_hooks = table.chains.iter().any(|chain| table.is_builtin(chain.name.as_bytes()));
        let base = id(self.chains.len());
        for hook in Hook::ALL.into_iter().filter(|&hook| name.has_hook(hook)) {
            let entry = match names.get(hook.name().as_bytes()) {
                Some(chain) => Entry::Chain(ChainId(base + chain)),
                // A kernel may lack a hook of a table, as nat INPUT once was; restore input names none.
                None if table.end == TableEnd::Commit && names_hooks => Entry::Empty,
                None => Entry::NotInDump,
            };
            self.set_entry(name, hook, side, entry);
        }
        let mut conditions = Vec::new();
        let mut missing = Vec::new();
        let mut graph = ChainGraph::new(table.chains.len());
        let rules = table.chains.iter().map(|chain| chain.rules.len()).sum();
        self.rules.reserve_exact(rules);
        // Most rules have one or two, and what is not used takes no memory.
        self.conditions.reserve_exact(2 * rules);
        self.chains.reserve_exact(table.chains.len());
        // All that the dump says of a rule is looked at once: a large dump does not fit any cache.
        for (number, chain) in table.chains.iter().enumerate() {
            let here = ChainId(base + id(number));
            let first = id(self.rules.len());
            for (index, rule) in chain.rules.iter().enumerate() {
                let mut resolve = |target: &Text, go: fn(ChainId) -> Go| match names.get(target.as_bytes()) {
                    Some(to) => {
                        graph.add_jump(id(number), id(index), to);
                        go(ChainId(base + to))
                    }
                    None => Go::Missing,
                };
                self.tracks = self.tracks || asks_tracking(rule);
                self.marks_connections = self.marks_connections || marks_connection(rule);
                self.marks_templates |= name == TableName::Raw && marks_connection(rule);
                let go = match &rule.target {
                    Target::Accept => Go::Accept,
                    Target::Drop => Go::Drop,
                    Target::Return => Go::Return,
                    Target::Jump(target) => resolve(target, Go::Jump),
                    Target::Goto(target) => resolve(target, Go::Goto),
                    target if extensions::has_no_effect(target) => Go::On,
                    target => {
                        let id = TargetId(id(self.targets.len()));
                        self.targets.push(target.clone());
                        Go::Target(id)
                    }
                };
                if let (Go::Missing, Target::Jump(target) | Target::Goto(target)) = (go, &rule.target)
                    && table.end != TableEnd::Fragment
                {
                    let (table, chain) = (table.name.clone(), chain.name.clone());
                    let site = Site { dump, table, chain, rule: index + 1, line: rule.line };
                    missing.push(Problem::MissingChain { site, target: target.clone() });
                }
                // What a rule remembers of packets that it turned away must be asked of the rule itself.
                let has_memory = has_memory(rule);
                let mut told = !has_memory && Condition::read(rule, &mut conditions);
                let first_condition = id(self.conditions.len());
                // A rule with more of them than are counted is asked itself.
                let count = u16::try_from(conditions.len()).unwrap_or(0);
                told &= usize::from(count) == conditions.len();
                let draws = conditions.iter().filter(|one| matches!(one, Condition::Draw(_))).count();
                self.rules.push(Step {
                    chain: here,
                    go,
                    has_memory,
                    granted: rule.matches.iter().filter_map(extensions::granted).collect(),
                    told,
                    draws_once: told && draws == 1,
                    looks: Looks::of(told, &conditions),
                    conditions: (first_condition, count),
                });
                self.conditions.append(&mut conditions);
            }
            self.chains.push(CompiledChain {
                place: ChainPlace::new(dump, at, number),
                table: name,
                first: RuleId(first),
                end: RuleId(id(self.rules.len())),
                stop: RuleId(chain.gaps.first().map_or(id(self.rules.len()), |gap| first + id(gap.after))),
                policy: chain.policy,
                is_nft: side == 1,
                gap: chain.gaps.first().map(|gap| gap.line),
            });
        }
        let closing = graph.close();
        problems.extend(graph.loops(table, dump));
        problems.extend(graph.too_deep(table, dump));
        problems.append(&mut missing);
        for (chain, rule) in closing {
            let chain = self.chains.get((base + chain) as usize);
            let rule = chain.map_or(0, |chain| chain.first.0 + rule);
            if let Some(step) = self.rules.get_mut(rule as usize) {
                step.go = Go::Loop;
            }
        }
    }

    fn set_entry(&mut self, table: TableName, hook: Hook, side: usize, entry: Entry) {
        let hooks = self.hooks.get_mut(table as usize).and_then(|hooks| hooks.get_mut(hook as usize));
        if let Some(place) = hooks.and_then(|sides| sides.get_mut(side)) {
            *place = entry;
        }
    }

    /// What a table has at a hook: the legacy rules (or those of no known backend), and the nft ones.
    pub(crate) fn entries(&self, table: TableName, hook: Hook) -> [Entry; BACKENDS] {
        self.hooks.get(table as usize).and_then(|hooks| hooks.get(hook as usize)).copied().unwrap_or_default()
    }

    /// Whether security INPUT comes behind nat INPUT: iptables-nft gives it the priority 150, legacy 50, and
    /// both give nat 100. Where both have rules there, the legacy order is taken.
    pub(crate) fn security_is_behind_nat(&self) -> bool {
        let [legacy, nft] = self.entries(TableName::Security, Hook::Input);
        legacy == Entry::Empty && nft != Entry::Empty
    }

    /// Whether a dump has the table, at least in part.
    pub(crate) fn has_table(&self, table: TableName) -> bool {
        self.has_table.get(table as usize) == Some(&true)
    }

    pub(crate) fn chain(&self, chain: ChainId) -> Option<&CompiledChain> {
        self.chains.get(chain.0 as usize)
    }

    pub(crate) fn step(&self, rule: RuleId) -> Option<&Step> {
        self.rules.get(rule.0 as usize)
    }

    pub(crate) fn target(&self, target: TargetId) -> Option<&Target> {
        self.targets.get(target.0 as usize)
    }

    /// The conditions of a rule.
    pub(crate) fn conditions(&self, rule: RuleId) -> &[Condition] {
        self.step(rule).map_or(&[], |step| self.conditions_of(step))
    }

    /// What becomes of a packet at a rule that has one condition at most, where that tells.
    #[inline]
    pub(crate) fn judge_short(
        &self,
        rule: RuleId,
        packet: &Packet,
        state: &State,
    ) -> Option<(Judged, Looks)> {
        let (step, conditions) = self.told(rule)?;
        let judged = match conditions {
            [] => Judged::Yes,
            [Condition::Draw(numerator)] => Judged::Draw(*numerator),
            [only] if only.holds(packet, state)? => Judged::Yes,
            [_] => Judged::No,
            _ => return None,
        };
        Some((judged, step.looks))
    }

    /// The draw that a rule is, where it asks nothing else.
    #[inline]
    pub(crate) fn draw(&self, rule: RuleId) -> Option<u32> {
        match self.told(rule)?.1 {
            [Condition::Draw(numerator)] => Some(*numerator),
            _ => None,
        }
    }

    /// A rule that its conditions tell all of, with them.
    #[inline]
    fn told(&self, rule: RuleId) -> Option<(&Step, &[Condition])> {
        let step = self.step(rule).filter(|step| step.told)?;
        Some((step, self.conditions_of(step)))
    }

    /// The first of some rules that is not known to turn a packet away by its conditions, or the one behind
    /// them, and what was looked at; `draws` of the first one's came out so before that it may match.
    #[inline]
    pub(crate) fn judge(
        &self,
        rules: Range<RuleId>,
        packet: &Packet,
        state: &State,
        mut draws: u8,
    ) -> (RuleId, Judged, Looks) {
        let steps = self.rules.get(rules.start.0 as usize..rules.end.0 as usize).unwrap_or_default();
        let mut looks = Looks::default();
        for (rule, step) in (rules.start.0..).zip(steps) {
            looks = looks.and(step.looks);
            match Condition::judge(self.conditions_of(step), step.told, packet, state, draws) {
                Judged::No => draws = 0,
                judged => return (RuleId(rule), judged, looks),
            }
        }
        (rules.end, Judged::No, looks)
    }

    #[inline]
    fn conditions_of(&self, step: &Step) -> &[Condition] {
        let (first, count) = (step.conditions.0 as usize, usize::from(step.conditions.1));
        self.conditions.get(first..first + count).unwrap_or_default()
    }

    /// The chains in order.
    pub(crate) fn chains(&self) -> &[CompiledChain] {
        &self.chains
    }
}

impl CompiledChain {
    /// The chain as the dump has it.
    pub(crate) fn source<'d>(&self, dumps: &'d [Dump]) -> Option<&'d Chain> {
        self.place.chain(dumps)
    }

    /// A rule as the dump has it.
    pub(crate) fn rule<'d>(&self, dumps: &'d [Dump], rule: RuleId) -> Option<&'d Rule> {
        self.source(dumps)?.rules.get((rule.0 - self.first.0) as usize)
    }

    /// The rules as the dump has them, from one on, as far as packets come.
    pub(crate) fn rules<'d>(&self, dumps: &'d [Dump], from: RuleId) -> &'d [Rule] {
        let rules = self.source(dumps).map_or(&[][..], |chain| &chain.rules);
        let place = |rule: RuleId| (rule.0 - self.first.0) as usize;
        rules.get(place(from)..place(self.stop)).unwrap_or_default()
    }

    /// Whether asking its rules one after the other is as fast as any index.
    pub(crate) const fn is_short(&self) -> bool {
        self.end.0 - self.first.0 < SHORTEST_WITH_INDEX
    }

    /// The number of a rule in its chain, from 1.
    pub(crate) const fn number(&self, rule: RuleId) -> u32 {
        rule.0 - self.first.0 + 1
    }
}

/// A chain with fewer rules has no index.
pub(crate) const SHORTEST_WITH_INDEX: u32 = 8;

/// Whether a match of a rule keeps anything of having been asked: lists, counts, buckets.
fn has_memory(rule: &Rule) -> bool {
    rule.matches.iter().any(|candidate| match candidate {
        Match::Connlabel(_)
        | Match::Connlimit(_)
        | Match::Hashlimit(_)
        | Match::Limit(_)
        | Match::Quota(_)
        | Match::Recent(_) => true,
        Match::Statistic(m) => m.mode == Some(StatisticMode::Nth),
        _ => false,
    })
}

fn marks_connection(rule: &Rule) -> bool {
    let Target::Connmark(target) = &rule.target else { return false };
    matches!(target.action, Some(ConnmarkAction::Set(_) | ConnmarkAction::Save(_)))
}

/// Whether the kernel tracks connections because of a rule: what calls `nf_ct_netns_get`.
fn asks_tracking(rule: &Rule) -> bool {
    let by_match = rule.matches.iter().any(|candidate| {
        matches!(
            candidate,
            Match::Cluster(_)
                | Match::Connbytes(_)
                | Match::Connlabel(_)
                | Match::Connlimit(_)
                | Match::Connmark(_)
                | Match::Conntrack(_)
                | Match::Helper(_)
                | Match::State(_)
        )
    });
    by_match
        || matches!(
            rule.target,
            Target::Connmark(_)
                | Target::Connsecmark(_)
                | Target::Ct(_)
                | Target::Dnat(_)
                | Target::Masquerade(_)
                | Target::Netmap(_)
                | Target::Notrack(_)
                | Target::Redirect(_)
                | Target::Snat(_)
                | Target::Synproxy(_)
        )
}

/// Dumps are below 4 GiB and a rule takes some bytes, so that every index fits.
fn id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
