use rustc_hash::FxHashMap;

use super::Reader;
use super::diagnostics::{Diagnostics, quote};
use super::guess;
use super::names::Names;
use super::open_table::{OpenTable, Place, resolve_targets};
use super::origin::Origin;
use crate::types::{Family, Text};
use crate::{Backend, Code, Counters, Policy, Rule, Span, Table, TableEnd};

/// Where a table that was read stands, and whose it is.
#[derive(Clone, Copy)]
struct Known {
    family: Option<Family>,
    backend: Option<Backend>,
    /// The line of the first of its name, family and backend.
    line: u32,
    /// The index of the last among those done.
    at: usize,
    /// Which of the outputs in the text it stands in.
    output: usize,
}

/// The tables read so far and the one that is open.
pub(super) struct Tables<'r> {
    reader: &'r Reader,
    /// The bytes of the dump.
    len: usize,
    origin: Origin,
    done: Vec<Table>,
    /// The tables of each name among `done`, one a family and backend.
    known: FxHashMap<Text, Vec<Known>>,
    /// The table of lines without a header, as the command before them tells.
    told_table: Option<Text>,
    /// Whether a table that stands again goes on where it was: `iptables-restore --noflush`.
    pub(super) merges: bool,
    /// How many outputs of commands started so far, as headers and prompts tell.
    outputs: usize,
    /// In which of them the open table starts.
    started_in: usize,
    told_of_nft: bool,
    open: Option<OpenTable>,
    /// How many tables were opened.
    opened: usize,
    /// By the index of a table among `done`, its rules that jump to what was no chain when they were read: a
    /// table that goes on may still make it one.
    unresolved: FxHashMap<usize, FxHashMap<u32, Place>>,
    /// How much more the lists of addresses may grow the dump.
    expansions_left: usize,
    /// How many rules `-I`, `-D` and their like may still pass over or move.
    moves_left: usize,
    /// How many more names may be tried in the place of one that nobody knows.
    guesses_left: usize,
}

impl<'r> Tables<'r> {
    /// Tables of a dump of so many bytes.
    pub(super) fn new(reader: &'r Reader, len: usize) -> Self {
        Tables {
            reader,
            len,
            origin: Origin::default(),
            done: Vec::new(),
            known: FxHashMap::default(),
            told_table: None,
            merges: reader.noflush,
            outputs: 0,
            started_in: 0,
            told_of_nft: false,
            open: None,
            opened: 0,
            unresolved: FxHashMap::default(),
            expansions_left: 4096 + len / 32,
            moves_left: 4_000_000,
            guesses_left: 200_000 + len / 2,
        }
    }

    /// Whether an edit may still move so many rules; counts them when it may.
    pub(super) fn may_move(&mut self, count: usize) -> bool {
        let left = self.moves_left.checked_sub(count + 1);
        self.moves_left = left.unwrap_or(self.moves_left);
        left.is_some()
    }

    /// Whether so many names may still be tried; counts them when they may.
    pub(super) fn may_guess(&mut self, count: usize) -> bool {
        let left = self.guesses_left.checked_sub(count);
        self.guesses_left = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether address lists may still make so many matches and rules; counts them when they may.
    pub(super) fn may_expand(&mut self, count: usize) -> bool {
        match self.expansions_left.checked_sub(count) {
            Some(left) => {
                self.expansions_left = left;
                true
            }
            None => false,
        }
    }

    pub(super) fn into_tables(self) -> Vec<Table> {
        self.done
    }

    pub(super) fn came_from(&mut self, origin: Origin) {
        self.origin = origin;
        self.starts_output();
    }

    /// What follows is the output of another command.
    pub(super) fn starts_output(&mut self) {
        self.outputs += 1;
    }

    /// Whether a table with a header is open.
    pub(super) fn has_header(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.table.line.is_some())
    }

    /// Opens the table of a `*NAME` line.
    ///
    /// `chains` is how many declarations follow it.
    pub(super) fn open(&mut self, name: &[u8], chains: usize, diagnostics: &mut Diagnostics) {
        self.close(TableEnd::Missing, diagnostics);
        let line = diagnostics.line;
        self.started_in = self.outputs;
        let table = self.new_table(Text::from(name), Some(line), TableEnd::Missing);
        if let Some((at, first)) = self.goes_on(&table) {
            if let Some(first) = first {
                let name = table.name.as_bytes();
                diagnostics.at_line(Code::DuplicateTable, line, Span::default(), || {
                    format!("table {} of line {first} has no `COMMIT`: this goes on with it, which iptables-restore refuses", quote(name))
                });
            }
            let chains = self.done.get(at).map_or(0, |table| table.chains.len());
            if self.may_move(chains)
                && let Some(done) = self.done.get_mut(at)
            {
                let mut open = OpenTable::new(std::mem::replace(done, Table::empty()));
                open.table.family = open.table.family.or(table.family);
                open.names = Names::of(&open.table.chains);
                open.goes_on = Some((at, line));
                open.unresolved = self.unresolved.remove(&at).unwrap_or_default();
                self.set_open(open);
                return;
            }
        }
        let mut open = OpenTable::new(table);
        open.expect_chains(chains);
        self.set_open(open);
    }

    /// The table read before that a header goes on with, and where that started if it had no `COMMIT`:
    /// such a header is refused by iptables-restore, and no rule before it would be there.
    fn goes_on(&mut self, table: &Table) -> Option<(usize, Option<u32>)> {
        let (merges, outputs) = (self.merges, self.outputs);
        let Known { at, output, line, .. } = *self.known_as(table)?;
        let is_open = self.done.get(at).is_some_and(|table| table.end == TableEnd::Missing);
        let is_open = is_open && output == outputs;
        (merges || is_open).then_some((at, Some(line).filter(|_| is_open)))
    }

    /// The table that another one is: of its name and backend, and of its family as far as both tell.
    fn known_as(&mut self, table: &Table) -> Option<&mut Known> {
        let of_name = self.known.get_mut(&table.name)?;
        let is = |known: &&mut Known, family| known.backend == table.backend && known.family == family;
        let mut alike = of_name.iter().filter(|known| {
            let agree = known.family.is_none() || table.family.is_none();
            known.backend == table.backend && (agree || known.family == table.family)
        });
        let only = alike.next().filter(|_| alike.next().is_none()).map(|known| known.family);
        let exact = of_name.iter().any(|k| k.backend == table.backend && k.family == table.family);
        let family = if exact { table.family } else { only? };
        of_name.iter_mut().find(|known| is(known, family))
    }

    /// Notes which table a listing or fragment is of that follows, as its command tells.
    pub(super) fn fragment_of(&mut self, table: Option<&[u8]>) {
        const TABLES: [&[u8]; 5] = [b"filter", b"nat", b"mangle", b"raw", b"security"];
        self.told_table = table.filter(|name| TABLES.contains(name)).map(Text::from);
    }

    /// Opens another table when another list of chains starts: `iptables -S` writes all policies before
    /// the first rule.
    pub(super) fn listed_again(&mut self, chain: &[u8], diagnostics: &mut Diagnostics) {
        let Some(open) = &self.open else { return };
        let starts_again = match open.table.line {
            Some(_) => false,
            None => {
                let mut first = open.table.chains.iter().take(2);
                let is_list = first.clone().count() == 2 && first.clone().all(|chain| chain.policy.is_some());
                is_list
                    && (open.has_rules || first.next().is_some_and(|first| first.name.as_bytes() == chain))
            }
        };
        if starts_again {
            self.close(TableEnd::Fragment, diagnostics);
        }
    }

    /// Declares a chain as `iptables -L` shows it.
    pub(super) fn listed_chain(
        &mut self,
        name: &[u8],
        policy: Option<Policy>,
        counters: Option<Counters>,
        diagnostics: &mut Diagnostics,
    ) {
        let is_new = |open: &OpenTable| {
            let known = open.chain(name).and_then(|at| open.table.chains.get(at));
            open.table.line.is_some() || known.is_some_and(|chain| chain.line.is_some())
        };
        if self.open.as_ref().is_some_and(is_new) {
            self.close(TableEnd::Missing, diagnostics);
        }
        let line = diagnostics.line;
        let open = self.current();
        let at = match open.chain(name) {
            Some(at) => at,
            None => open.add_chain(Text::from(name)),
        };
        if let Some(chain) = open.table.chains.get_mut(at) {
            chain.line = Some(line);
            chain.policy = policy;
            chain.counters = counters;
        }
    }

    /// Notes a table that is there in the kernel and not in the dump.
    pub(super) fn incompatible(&mut self, name: &[u8], diagnostics: &mut Diagnostics) {
        self.close(TableEnd::Missing, diagnostics);
        let table = self.new_table(Text::from(name), Some(diagnostics.line), TableEnd::Incompatible);
        self.push_done(table, diagnostics);
    }

    /// Ends the open table; false when there is none.
    pub(super) fn close(&mut self, end: TableEnd, diagnostics: &mut Diagnostics) -> bool {
        let Some(mut open) = self.open.take() else { return false };
        open.flush_run();
        open.settle_lost(usize::MAX);
        let end = if open.table.line.is_none() { TableEnd::Fragment } else { end };
        let goes_on = open.goes_on;
        open.table.end = match goes_on {
            Some(_) if open.table.end != TableEnd::Commit => open.table.end,
            _ => end,
        };
        open.drop_deleted();
        if open.lost_before_chains && end == TableEnd::Commit {
            // Nothing else of the table is there to bear the gap.
            open.table.end = TableEnd::Missing;
        }
        if end == TableEnd::Missing {
            open.report_missing_commit(diagnostics);
        }
        if open.table.line.is_none() && open.table.name.as_bytes().is_empty() {
            guess::name_table(&mut open.table, diagnostics);
        }
        if !open.unresolved.is_empty() && end != TableEnd::Fragment {
            let at = goes_on.map_or(self.done.len(), |(at, _)| at);
            self.unresolved.insert(at, std::mem::take(&mut open.unresolved));
        }
        match goes_on.and_then(|(at, _)| self.done.get_mut(at)) {
            Some(slot) => *slot = open.table,
            None => self.push_done(open.table, diagnostics),
        }
        end != TableEnd::Fragment
    }

    fn push_done(&mut self, table: Table, diagnostics: &mut Diagnostics) {
        let line = table.first_line();
        if table.backend == Some(Backend::Nft) && !self.told_of_nft {
            self.told_of_nft = true;
            diagnostics.at_line(Code::NftMayOmit, line, Span::default(), || {
                "iptables-nft wrote this: where other programs put rules into its tables by nft, it leaves out what it cannot express, and the rule looks broader than it is".into()
            });
            diagnostics.help(Some("compare with `nft list ruleset` of the node".into()));
        }
        let (index, output) = (self.done.len(), self.started_in);
        if let Some(known) = self.known_as(&table) {
            (known.at, known.output) = (index, output);
            let (name, before) = (table.name.as_bytes(), known.line);
            diagnostics.at_line(Code::DuplicateTable, line, Span::default(), || {
                format!("table {} stands at line {before} already: this one replaces it", quote(name))
            });
        } else {
            let known = Known { family: table.family, backend: table.backend, line, at: index, output };
            self.known.entry(table.name.clone()).or_default().push(known);
        }
        self.done.push(table);
    }

    /// Ends what the end of the input ends.
    pub(super) fn finish(&mut self, diagnostics: &mut Diagnostics) {
        self.close(TableEnd::Missing, diagnostics);
        let mut unresolved: Vec<_> = self.unresolved.drain().collect();
        unresolved.sort_unstable_by_key(|(at, _)| *at);
        for (at, places) in unresolved {
            if let Some(table) = self.done.get(at) {
                resolve_targets(table, places, &mut self.guesses_left, diagnostics);
            }
        }
    }

    /// Declares a chain by a `:CHAIN POLICY` line.
    pub(super) fn declare(
        &mut self,
        name: &[u8],
        policy: &[u8],
        policy_at: u32,
        counters: Option<Counters>,
        diagnostics: &mut Diagnostics,
    ) {
        let open = self.current();
        let line = diagnostics.line;
        let builtin = open.table.is_builtin(name);
        let policy_end = policy_at + u32::try_from(policy.len()).unwrap_or(0);
        let policy = match policy {
            b"ACCEPT" => Some(Policy::Accept),
            b"DROP" => Some(Policy::Drop),
            b"-" => None,
            _ => {
                diagnostics.here(Code::BadChain, policy_at, policy_end, || {
                    format!("{} is no policy: expected ACCEPT, DROP or -", quote(policy))
                });
                None
            }
        };
        if policy.is_some() && !builtin {
            diagnostics.here(Code::PolicyOnUserChain, policy_at, policy_end, || {
                format!("{} is no built-in chain of this table and has no policy", quote(name))
            });
        }
        open.check_name(name, diagnostics);
        if let Some(chain) = open.chain(name).and_then(|at| open.table.chains.get_mut(at)) {
            // With --noflush `:CHAIN` empties a user chain that was there, and leaves a built-in one.
            if let Some((_, from)) = open.goes_on
                && chain.line.is_none_or(|line| line < from)
            {
                chain.line = Some(line);
                if builtin {
                    chain.policy = policy.or(chain.policy);
                    chain.counters = counters.or(chain.counters);
                } else {
                    open.empty_chain(name);
                }
                return;
            }
            if let Some(first) = chain.line {
                let rules =
                    if open.table.backend == Some(Backend::Nft) { "empties it" } else { "is refused" };
                diagnostics.here(Code::DuplicateChain, 0, policy_at, || {
                    format!("chain {} is declared at line {first} already: here it {rules}", quote(name))
                });
            }
            chain.line = Some(line);
            chain.policy = policy.filter(|_| builtin);
            chain.counters = counters;
            if open.table.backend == Some(Backend::Nft) {
                open.empty_chain(name);
            }
            return;
        }
        let chain = open.add_chain(Text::from(name));
        if let Some(chain) = open.table.chains.get_mut(chain) {
            chain.line = Some(line);
            chain.policy = policy.filter(|_| builtin);
            chain.counters = counters;
        }
    }

    /// Sets the policy of a built-in chain, as `-P` does.
    pub(super) fn set_policy(
        &mut self,
        name: &[u8],
        policy: Policy,
        counters: Option<Counters>,
        at: u32,
        diagnostics: &mut Diagnostics,
    ) {
        let open = self.current();
        let is_builtin = open.table.is_builtin(name);
        if !is_builtin {
            let end = at + u32::try_from(name.len()).unwrap_or(0);
            diagnostics.here(Code::PolicyOnUserChain, at, end, || {
                format!("{} is no built-in chain of this table and has no policy", quote(name))
            });
        }
        let index = match open.chain(name) {
            Some(index) => index,
            None => open.add_chain(Text::from(name)),
        };
        if let Some(chain) = open.table.chains.get_mut(index) {
            chain.line.get_or_insert(diagnostics.line);
            chain.policy = Some(policy).filter(|_| is_builtin);
            // Without counters of its own `-P` starts them anew.
            if is_builtin {
                chain.counters = counters;
            }
        }
    }

    /// Notes that rules may be missing where the dump stands now.
    pub(super) fn lost_text(&mut self, line: u32) {
        if let Some(open) = &mut self.open {
            open.lost.get_or_insert(line);
        }
    }

    /// The open table; lines under no header open one without.
    pub(super) fn current(&mut self) -> &mut OpenTable {
        if self.open.is_none() {
            self.open_fragment();
        }
        self.open.get_or_insert_with(|| OpenTable::new(Table::empty()))
    }

    fn set_open(&mut self, mut open: OpenTable) {
        self.opened += 1;
        open.number = self.opened;
        self.open = Some(open);
    }

    #[cold]
    fn open_fragment(&mut self) {
        let name = self.told_table.clone().or_else(|| self.reader.table.clone()).unwrap_or_default();
        let table = self.new_table(name, None, TableEnd::Fragment);
        self.set_open(OpenTable::new(table));
    }

    fn new_table(&self, name: Text, line: Option<u32>, end: TableEnd) -> Table {
        Table {
            name,
            line,
            family: self.origin.family.or(self.reader.family),
            backend: self.origin.backend.or(self.reader.backend),
            chains: Vec::new(),
            end,
        }
    }
}

/// What reading a rule needs of its table.
impl Tables<'_> {
    /// The index of the chain a rule goes to, which is added when no line declared it.
    pub(super) fn chain_for_rule(&mut self, name: &[u8], at: u32, diagnostics: &mut Diagnostics) -> usize {
        let has_header = self.has_header();
        let open = self.current();
        if let Some(chain) = open.chain_of_next_rule(name) {
            return chain;
        }
        if has_header && !open.table.is_builtin(name) {
            let end = at + u32::try_from(name.len()).unwrap_or(0);
            diagnostics.here(Code::UndeclaredChain, at, end, || {
                format!("chain {} is not declared: expected a line `:CHAIN - [0:0]` before", quote(name))
            });
        }
        open.check_name(name, diagnostics);
        open.add_chain(Text::from(name))
    }

    /// The family of the open table, as far as it is known.
    pub(super) fn family(&mut self) -> Option<Family> {
        self.current().table.family
    }

    /// The first address of a table tells its family where nothing else does.
    pub(super) fn learn_family(&mut self, family: Family) {
        self.current().table.family.get_or_insert(family);
    }

    /// The open table, where there is one.
    pub(super) fn open_table(&self) -> Option<&OpenTable> {
        self.open.as_ref()
    }

    /// Whether there is a chain of this name, be it only because rules are in it; the kernel's own are
    /// there in any case.
    pub(super) fn has_chain(&mut self, name: &[u8]) -> bool {
        let open = self.current();
        open.chain(name).is_some() || open.table.is_builtin(name)
    }

    /// Whether a line declares a chain of this name.
    pub(super) fn has_declared(&mut self, name: &[u8]) -> bool {
        let open = self.current();
        let chain = open.chain(name).and_then(|at| open.table.chains.get(at));
        chain.is_some_and(|chain| chain.line.is_some())
    }

    /// Puts a rule behind the last of its chain.
    pub(super) fn append(&mut self, chain: usize, rule: Rule, unresolved: Option<Place>) {
        let dump_len = self.len;
        let open = self.current();
        if chain != open.run_chain {
            open.flush_run();
            open.settle_lost(chain);
            open.in_order &= chain > open.run_chain || !open.has_rules;
            open.run_chain = chain;
        } else if open.lost.is_some() {
            open.flush_run();
            open.settle_lost(chain);
        }
        open.has_rules = true;
        open.note_unresolved(&rule, unresolved);
        open.add_to_run(rule, dump_len);
    }
}
