use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::diagnostics::{Diagnostics, quote};
use super::names::{Known, Names};
use super::similar;
use crate::extensions::Target;
use crate::types::Text;
use crate::{Chain, Code, Gap, Rule, Span, Table, TableEnd};

/// Where a name stands that was no chain when it was read.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) span: Span,
    /// In its line, from 1.
    pub(super) column: u32,
}

/// A table whose end has not been seen.
pub(super) struct OpenTable {
    /// Which of the tables opened so far it is.
    pub(super) number: usize,
    pub(super) table: Table,
    pub(super) names: Names,
    /// Rules of one chain stand together in a dump: they are gathered here and moved to their chain
    /// in one step, so that each chain's memory fits its rules.
    pub(super) run: Vec<Rule>,
    pub(super) run_chain: usize,
    /// Whether chains got their rules in the order of their declaration, as iptables-save writes them.
    pub(super) in_order: bool,
    /// Whether any chain has got a rule.
    pub(super) has_rules: bool,
    /// Rules that jump to what was no chain when they were read: where the rule's line starts, and
    /// where in it the name stands.
    pub(super) unresolved: FxHashMap<u32, Place>,
    /// The first line lost since the last rule: it may have been a rule of that one's chain, of the
    /// next one's, or of one between.
    pub(super) lost: Option<u32>,
    /// Once a line was lost: the chains that have got no gap since they last had a rule more or fewer, so that those
    /// that have one are not looked at for every lost line.
    without_gap: Option<BTreeSet<usize>>,
    /// Chains that `-X` took away; they leave when the table ends.
    pub(super) deleted: Vec<usize>,
    /// A line was lost, and the table had no chain.
    pub(super) lost_before_chains: bool,
    /// Which of the tables read before this one goes on with, and from which line.
    pub(super) goes_on: Option<(usize, u32)>,
}

/// From how many rules on a run is long.
const LONG: usize = 4096;

impl OpenTable {
    pub(super) fn new(table: Table) -> Self {
        OpenTable {
            number: 0,
            table,
            names: Names::default(),
            run: Vec::new(),
            run_chain: 0,
            in_order: true,
            has_rules: false,
            unresolved: FxHashMap::default(),
            lost: None,
            without_gap: None,
            deleted: Vec::new(),
            lost_before_chains: false,
            goes_on: None,
        }
    }

    pub(super) fn note_unresolved(&mut self, rule: &Rule, unresolved: Option<Place>) {
        if let Some(place) = unresolved {
            self.unresolved.insert(rule.span.start, place);
        }
    }

    pub(super) fn add_chain(&mut self, name: Text) -> usize {
        let at = self.table.chains.len();
        let (rules, gaps) = (Vec::new(), Vec::new());
        self.table.chains.push(Chain { name, line: None, policy: None, counters: None, rules, gaps });
        self.names.insert(&self.table.chains, at);
        self.changed(at);
        at
    }

    /// The index of the chain of this name.
    pub(super) fn chain(&self, name: &[u8]) -> Option<usize> {
        self.names.get(&self.table.chains, name)
    }

    /// Makes room for so many chains, where there is memory for them.
    pub(super) fn expect_chains(&mut self, count: usize) {
        if self.table.chains.try_reserve_exact(count).is_ok() {
            self.names.expect(count);
        }
    }

    /// What reading a rule needs of the table, once it is known whose table it is.
    pub(super) fn known(&self) -> Option<Known<'_>> {
        Some(Known {
            chains: &self.table.chains,
            names: &self.names,
            has_deleted: !self.deleted.is_empty(),
            family: self.table.family?,
        })
    }

    /// As [`chain`](Self::chain), for the chain of the next rule: iptables-save writes the rules in the
    /// order of the chains.
    pub(super) fn chain_of_next_rule(&self, name: &[u8]) -> Option<usize> {
        let has_name =
            |at: &usize| self.table.chains.get(*at).is_some_and(|chain| chain.name.as_bytes() == name);
        // What `-X` took away is still there.
        let near = [self.run_chain, self.run_chain + 1].into_iter().find(has_name);
        near.filter(|_| self.deleted.is_empty()).or_else(|| self.chain(name))
    }

    /// Marks where the lost line may have held a rule, now that the chain of the next rule is known:
    /// iptables-save writes rules in the order of the chains, and where they stand in another order
    /// any two chains may be next to each other.
    pub(super) fn settle_lost(&mut self, next: usize) {
        let Some(line) = self.lost.take() else { return };
        let last = next.min(self.table.chains.len().saturating_sub(1));
        let last = last.max(self.run_chain);
        let chains = &mut self.table.chains;
        let without_gap = self.without_gap.get_or_insert_with(|| (0..chains.len()).collect());
        let also = (next < self.run_chain).then_some(next);
        while let Some(at) = without_gap.range(self.run_chain..=last).next().copied() {
            without_gap.remove(&at);
            if let Some(chain) = chains.get_mut(at) {
                chain.lose(line);
            }
        }
        if let Some(chain) = also.and_then(|also| chains.get_mut(also)) {
            chain.lose(line);
        }
        self.lost_before_chains |= self.table.chains.is_empty();
    }

    /// Notes that a chain has other rules than before.
    pub(super) fn changed(&mut self, chain: usize) {
        if let Some(without_gap) = &mut self.without_gap {
            without_gap.insert(chain);
        }
    }

    /// Empties all chains.
    pub(super) fn empty(&mut self) {
        self.flush_run();
        for chain in &mut self.table.chains {
            chain.rules.clear();
            chain.gaps.clear();
        }
        self.without_gap = None;
    }

    pub(super) fn empty_chain(&mut self, name: &[u8]) {
        self.flush_run();
        let Some(at) = self.chain(name) else { return };
        if let Some(chain) = self.table.chains.get_mut(at) {
            chain.rules.clear();
            chain.gaps.clear();
        }
        self.changed(at);
    }

    pub(super) fn check_name(&self, name: &[u8], diagnostics: &mut Diagnostics) {
        const LONGEST: usize = 28;
        if name.len() > LONGEST && self.chain(name).is_none() {
            diagnostics.here(Code::LongChainName, 0, 0, || {
                format!("chain name {} has {} bytes: iptables takes {LONGEST}", quote(name), name.len())
            });
        }
    }

    /// Gathers a rule of the chain whose rules come now, in a dump of so many bytes.
    pub(super) fn add_to_run(&mut self, rule: Rule, dump_len: usize) {
        // A run that doubles is there twice while it moves. Long ones ask for what they will need if all that
        // follows is like them: memory that nobody writes to costs nothing, and what is too much goes back.
        if self.run.len() == self.run.capacity()
            && self.run.len() >= LONG
            && let Some(first) = self.run.first()
        {
            let read = (rule.span.end.saturating_sub(first.span.start) as usize).max(1);
            let left = dump_len.saturating_sub(rule.span.end as usize);
            let further = left.saturating_mul(self.run.len()) / read;
            // Where memory is refused, the list grows as any other.
            let _ = self.run.try_reserve_exact(further.saturating_add(1));
        }
        self.run.push(rule);
    }

    pub(super) fn flush_run(&mut self) {
        if self.run.is_empty() {
            return;
        }
        self.changed(self.run_chain);
        if let Some(chain) = self.table.chains.get_mut(self.run_chain) {
            // A long run moves as it is, so that the rules of a large dump are never there twice.
            if chain.rules.is_empty() && self.run.len() >= LONG {
                chain.rules = std::mem::take(&mut self.run);
                chain.rules.shrink_to_fit();
                return;
            }
            if chain.rules.is_empty() {
                chain.rules.reserve_exact(self.run.len());
            }
            chain.rules.append(&mut self.run);
        }
    }

    /// A cut table may lack rules of the chain it was cut in and of all behind it: iptables-save
    /// writes rules in the order of the chains. In any other order, every chain may lack some.
    pub(super) fn report_missing_commit(&mut self, diagnostics: &mut Diagnostics) {
        let line = diagnostics.line;
        let name = self.table.name.as_bytes();
        diagnostics.at_line(Code::MissingCommit, line, Span::default(), || {
            format!("table {} has no `COMMIT`: the dump may be cut here", quote(name))
        });
        let first = if self.in_order { self.run_chain } else { 0 };
        for chain in self.table.chains.iter_mut().skip(first) {
            chain.lose(line);
        }
    }
}

/// Settles `-j NAME` where NAME was no chain yet: the chain may have come later, and else it is either missing
/// or a target that is not known.
pub(super) fn resolve_targets(
    table: &Table,
    mut unresolved: FxHashMap<u32, Place>,
    guesses: &mut usize,
    diagnostics: &mut Diagnostics,
) {
    let chains = &table.chains;
    let names = Names::of(chains);
    for rule in chains.iter().flat_map(|chain| &chain.rules) {
        let (Target::Jump(name) | Target::Goto(name)) = &rule.target else { continue };
        let start = rule.span.start;
        let Some(Place { span, column }) = unresolved.remove(&start) else { continue };
        if names.get(chains, name.as_bytes()).is_some() {
            continue;
        }
        diagnostics.in_line(Code::MissingChain, rule.line, column, span, || {
            format!("the table has no chain {}", quote(name.as_bytes()))
        });
        if let Some(left) = guesses.checked_sub(chains.len() + Target::NAMES.len()) {
            *guesses = left;
            let near = |chain: &&Chain| similar::is_near(name.as_bytes(), chain.name.as_bytes());
            let near = chains.iter().find(near).map(|chain| chain.name.as_bytes());
            let chain = near.map(|near| format!("did you mean {}?", quote(near)));
            diagnostics.help(chain.or_else(|| similar::target(name.as_bytes())));
        }
    }
}

impl Chain {
    /// Notes that text is missing behind the rules read so far.
    pub(super) fn lose(&mut self, line: u32) {
        let after = self.rules.len();
        if self.gaps.last().is_none_or(|gap| gap.after != after) {
            self.gaps.push(Gap { after, line });
        }
    }
}

impl Table {
    /// The line of its header, or of the first thing in it.
    pub(super) fn first_line(&self) -> u32 {
        let first = |c: &Chain| c.line.into_iter().chain(c.rules.first().map(|rule| rule.line)).min();
        self.line.or_else(|| self.chains.iter().filter_map(first).min()).unwrap_or(1)
    }

    pub(super) fn empty() -> Table {
        let end = TableEnd::Fragment;
        Table { name: Text::default(), line: None, family: None, backend: None, chains: Vec::new(), end }
    }
}
