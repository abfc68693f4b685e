use std::collections::BTreeMap;

use hookwalk_engine::{Hook, Host, TableName};
use hookwalk_parser::types::Family;
use hookwalk_parser::{Policy, Rule};
use rustc_hash::FxHashMap;

use super::class::{self, Bits, Class, States, Types};
use super::interfaces::Interfaces;
use super::judge::{Judge, conditions};
use super::spans::Spans;
use super::stage::{Met, Stage};
use super::tables::{ChainAt, Tables};
use super::target::{self, Go};
use super::upper::Upper;

/// Jumps are followed so deep; the kernel's legacy walk carries some hundreds, nft 16.
const DEEPEST: usize = 128;

/// How many times a rule is held against a class, at most.
const MOST_RULES: u64 = 3_000_000;

/// Where packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    /// By an interface: from a Pod, or from another host.
    Arriving,
    /// From a process of this node.
    Sent,
}

/// All that a class of packets meets, in the kernel's order.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) stages: Vec<Stage>,
    /// Tables that the dump may hold rules of and does not show.
    pub(crate) lacks: Vec<TableName>,
    /// A limit was reached: rules may be missing.
    pub(crate) truncated: bool,
}

/// A class of new packets to some destinations, everything else open.
pub(crate) fn new_packets(dst: Spans, dst_types: Types, upper: Upper, family: Family, start: Start) -> Class {
    // What comes by an interface with an address of this node is dropped in routing.
    let (in_interface, src_types) = match start {
        Start::Arriving => (Interfaces::any(), Types::OPEN.and(Types::LOCAL.not())),
        Start::Sent => (Interfaces::None, Types::LOCAL),
    };
    Class {
        dst,
        dst_types,
        src: class::all_addresses(family),
        src_types,
        upper,
        sport: Spans::up_to(Spans::PORTS),
        in_interface,
        out_interface: Interfaces::None,
        mark: Bits::ZERO,
        states: States::TRACKED,
        dnat: false,
        mapped: false,
        rewritten: 0,
    }
}

/// Follows classes of packets of one family from their start to where each ends.
pub(crate) fn reach(
    tables: &Tables<'_>,
    family: Family,
    host: &Host,
    start: Start,
    from: Vec<Class>,
) -> Reach {
    let mut walker = Walker::new(tables, family, host);
    match start {
        Start::Arriving => walker.arrive(from, false),
        Start::Sent => walker.send(from),
    }
    walker.reach.lacks.sort_unstable();
    walker.reach.lacks.dedup();
    walker.reach
}

/// Through one table at one hook; `until` ends a built-in chain before a rule.
pub(crate) fn pass(
    tables: &Tables<'_>,
    family: Family,
    host: &Host,
    table: TableName,
    hook: Hook,
    from: Vec<Class>,
    until: Option<(ChainAt, usize)>,
) -> Vec<Stage> {
    let mut walker = Walker::new(tables, family, host);
    let entries = tables.entries(table, hook);
    let from = class::joined(from);
    entries.into_iter().map(|base| walker.passage(table, hook, base, from.clone(), until)).collect()
}

struct Walker<'w, 'd> {
    tables: &'w Tables<'d>,
    family: Family,
    host: &'w Host,
    reach: Reach,
    budget: u64,
}

/// One passage of one table.
struct Passage<'w> {
    judge: Judge<'w>,
    table: TableName,
    met: BTreeMap<(ChainAt, usize), Met>,
    accepted: Vec<Class>,
    /// What comes back from a chain, by what goes in.
    known: FxHashMap<(ChainAt, Vec<Class>), Vec<Class>>,
    stack: Vec<ChainAt>,
    /// Where a chain ends before its end.
    until: Option<(ChainAt, usize)>,
}

impl<'w, 'd> Walker<'w, 'd> {
    fn new(tables: &'w Tables<'d>, family: Family, host: &'w Host) -> Self {
        let reach = Reach { stages: Vec::new(), lacks: Vec::new(), truncated: false };
        Walker { tables, family, host, reach, budget: MOST_RULES }
    }
}

impl Walker<'_, '_> {
    fn arrive(&mut self, classes: Vec<Class>, looped_back: bool) {
        let mut classes = classes;
        for table in [TableName::Raw, TableName::Mangle] {
            classes = self.table(table, Hook::Prerouting, classes);
        }
        if !looped_back {
            classes = self.nat(Hook::Prerouting, classes);
        }
        let (mut here, mut on) = (Vec::new(), Vec::new());
        for class in classes {
            let local = class.dst_types.and(Types::TO_NODE);
            if !local.is_empty() {
                here.push(Class { dst_types: local, ..class.clone() });
            }
            let other = class.dst_types.and(Types::TO_NODE.not());
            if !other.is_empty() && !looped_back {
                let out_interface = self.out_interface(&class);
                on.push(Class { dst_types: other, out_interface, ..class });
            }
        }
        for table in [TableName::Mangle, TableName::Filter, TableName::Security] {
            here = self.table(table, Hook::Input, here);
        }
        if !looped_back {
            self.nat(Hook::Input, here);
        }
        for table in [TableName::Mangle, TableName::Filter, TableName::Security] {
            on = self.table(table, Hook::Forward, on);
        }
        self.leave(on);
    }

    fn send(&mut self, classes: Vec<Class>) {
        let routed = |walker: &Self, class: Class| {
            let out_interface = walker.out_interface(&class);
            Class { out_interface, ..class }
        };
        let mut classes: Vec<Class> = classes.into_iter().map(|class| routed(self, class)).collect();
        for table in [TableName::Raw, TableName::Mangle] {
            classes = self.table(table, Hook::Output, classes);
        }
        classes = self.nat(Hook::Output, classes);
        // `-o` of filter OUTPUT still sees the interface from before the rewrite.
        for table in [TableName::Filter, TableName::Security] {
            classes = self.table(table, Hook::Output, classes);
        }
        let classes = classes.into_iter().map(|class| routed(self, class)).collect();
        let back = self.leave(classes);
        if !back.is_empty() {
            self.arrive(back, true);
        }
    }

    /// Through POSTROUTING and out; what goes to this node itself comes back in by `lo`.
    fn leave(&mut self, classes: Vec<Class>) -> Vec<Class> {
        let mut classes = self.table(TableName::Mangle, Hook::Postrouting, classes);
        classes = self.nat(Hook::Postrouting, classes);
        let mut back = Vec::new();
        for class in classes {
            let local = class.dst_types.and(Types::LOCAL);
            if class.in_interface == Interfaces::None && !local.is_empty() {
                let in_interface = Interfaces::one(hookwalk_engine::InterfaceName::LOOPBACK);
                let out_interface = Interfaces::None;
                back.push(Class { dst_types: local, in_interface, out_interface, ..class });
            }
        }
        back
    }

    fn out_interface(&self, class: &Class) -> Interfaces {
        if class.dst_types.and(Types::LOCAL.not()).is_empty() {
            return Interfaces::one(hookwalk_engine::InterfaceName::LOOPBACK);
        }
        let only = class.dst.only().map(|number| class::address(number, self.family));
        only.and_then(|dst| self.host.out_interface(dst)).map_or_else(Interfaces::any, Interfaces::one)
    }

    /// Table nat is asked for the first packet of a connection; the later ones go where it went, and what
    /// belongs to no connection passes.
    fn nat(&mut self, hook: Hook, classes: Vec<Class>) -> Vec<Class> {
        let mut passed = Vec::new();
        let mut entered = Vec::new();
        // Neither nat rules nor what the tables before marked on first packets alone mark later ones.
        let mut marks: Vec<(Bits, Interfaces)> = Vec::new();
        for class in classes {
            if class.mapped {
                passed.push(class);
                continue;
            }
            let new = class.states.and(States::NEW);
            let later = class.states.and(States::LATER);
            let stranger = class.states.and(States::NEW.or(States::LATER).not());
            if !stranger.is_empty() {
                passed.push(Class { states: stranger, ..class.clone() });
            }
            if !new.or(later).is_empty() {
                marks.push((class.mark, class.in_interface.clone()));
            }
            if new.is_empty() {
                if !later.is_empty() {
                    passed.push(Class { states: later, ..class });
                }
                continue;
            }
            entered.push(Class { states: new, ..class });
        }
        marks.sort_unstable();
        marks.dedup();
        let new = self.table(TableName::Nat, hook, entered);
        for class in &new {
            for (mark, _) in marks.iter().filter(|(_, by)| by.meets(&class.in_interface)) {
                // Before an answer the state of what is sent again is NEW as well.
                let states = States::NEW.or(States::LATER);
                passed.push(Class { states, mark: *mark, mapped: true, ..class.clone() });
            }
        }
        passed.extend(new);
        class::joined(passed)
    }

    /// Through one table at one hook, of both backends where both have rules.
    fn table(&mut self, table: TableName, hook: Hook, classes: Vec<Class>) -> Vec<Class> {
        if classes.is_empty() {
            return classes;
        }
        if self.tables.may_lack(table) {
            self.reach.lacks.push(table);
        }
        let entries = self.tables.entries(table, hook);
        let mut classes = class::joined(classes);
        let before = classes.clone();
        for (number, base) in entries.into_iter().enumerate() {
            let entered = if table == TableName::Nat { before.clone() } else { classes.clone() };
            let stage = self.passage(table, hook, base, entered, None);
            classes.clone_from(&stage.passed);
            if table == TableName::Nat && number > 0 {
                // Which backend is asked first is not known, and the first that rewrites settles it.
                let earlier = self.reach.stages.last().map_or(&[][..], |stage| &stage.passed);
                classes.extend_from_slice(earlier);
                classes = class::joined(classes);
            }
            self.reach.stages.push(stage);
        }
        classes
    }

    fn passage(
        &mut self,
        table: TableName,
        hook: Hook,
        base: ChainAt,
        entered: Vec<Class>,
        until: Option<(ChainAt, usize)>,
    ) -> Stage {
        let judge = Judge { host: self.host, family: self.family, tracked: table != TableName::Raw };
        let mut passage = Passage {
            judge,
            table,
            met: BTreeMap::new(),
            accepted: Vec::new(),
            known: FxHashMap::default(),
            stack: vec![base],
            until,
        };
        let ended = self.chain(&mut passage, base, entered.clone());
        let mut policy: Option<Met> = None;
        for class in &ended {
            match &mut policy {
                Some(met) => met.again(&[], class),
                None => policy = Some(Met::new(Vec::new(), class)),
            }
        }
        let mut passed = std::mem::take(&mut passage.accepted);
        if self.tables.chain(base).and_then(|chain| chain.policy) != Some(Policy::Drop) {
            passed.extend(ended.iter().cloned());
        }
        Stage { hook, table, base, met: passage.met, policy, entered, passed: class::joined(passed), ended }
    }

    /// Through a chain, all classes together; gives what comes back to the caller.
    fn chain(&mut self, passage: &mut Passage<'_>, at: ChainAt, classes: Vec<Class>) -> Vec<Class> {
        let mut back = Vec::new();
        let mut here = classes;
        for (number, rule) in self.tables.rules(at).iter().enumerate() {
            if here.is_empty() || passage.until == Some((at, number)) {
                break;
            }
            let cost = here.len() as u64;
            if self.budget < cost {
                self.reach.truncated = true;
                return back;
            }
            self.budget -= cost;
            if here.iter().all(|class| passage.judge.is_beside(rule, class)) {
                continue;
            }
            let mut next = Vec::with_capacity(here.len());
            let mut matched = Vec::new();
            // Which conditions tell apart what comes here: those that some class fails.
            let mut decides = vec![false; conditions(rule).count()];
            for class in here {
                let judged = passage.judge.judge(rule, &class);
                for (known, decides) in decides.iter_mut().zip(&judged.decides) {
                    *known |= decides;
                }
                next.extend(judged.others);
                matched.extend(judged.matched);
            }
            if matched.is_empty() {
                here = next;
                continue;
            }
            for class in &matched {
                passage
                    .met
                    .entry((at, number))
                    .and_modify(|met| met.again(&decides, class))
                    .or_insert_with(|| Met::new(decides.clone(), class));
            }
            self.follow(passage, at, rule, matched, &mut next, &mut back);
            here = class::joined(next);
        }
        back.extend(here);
        class::joined(back)
    }

    fn follow(
        &mut self,
        passage: &mut Passage<'_>,
        at: ChainAt,
        rule: &Rule,
        matched: Vec<Class>,
        next: &mut Vec<Class>,
        back: &mut Vec<Class>,
    ) {
        let mut inside = Vec::new();
        let mut chain = None;
        for class in matched {
            match target::go(&rule.target, passage.table, class, self.family, self.host) {
                Go::On(class) => next.push(class),
                Go::Accept(class) => accept(passage, class),
                Go::Return(class) => back.push(class),
                Go::End => {}
                Go::Unknown(class) => {
                    accept(passage, class.clone());
                    next.push(class);
                }
                Go::Jump(name, class) => {
                    chain = Some((name, true));
                    inside.push(class);
                }
                Go::Goto(name, class) => {
                    chain = Some((name, false));
                    inside.push(class);
                }
            }
        }
        match chain {
            Some((name, true)) => next.extend(self.enter(passage, at, name, class::joined(inside))),
            Some((name, false)) => back.extend(self.enter(passage, at, name, class::joined(inside))),
            None => {}
        }
    }

    /// Into a chain that a rule names; what comes back.
    fn enter(
        &mut self,
        passage: &mut Passage<'_>,
        from: ChainAt,
        name: &hookwalk_parser::types::Text,
        classes: Vec<Class>,
    ) -> Vec<Class> {
        // Behind a jump that leads nowhere packets may or may not go on.
        let Some(to) = self.tables.beside(from, name) else { return classes };
        if passage.stack.contains(&to) || passage.stack.len() > DEEPEST {
            self.reach.truncated = true;
            return classes;
        }
        let key = (to, classes);
        if let Some(known) = passage.known.get(&key) {
            return known.clone();
        }
        passage.stack.push(to);
        let back = self.chain(passage, to, key.1.clone());
        passage.stack.pop();
        passage.known.insert(key, back.clone());
        back
    }
}

fn accept(passage: &mut Passage<'_>, class: Class) {
    passage.accepted.push(class);
    if passage.accepted.len() > 2 * class::MOST_CLASSES {
        passage.accepted = class::joined(std::mem::take(&mut passage.accepted));
    }
}
