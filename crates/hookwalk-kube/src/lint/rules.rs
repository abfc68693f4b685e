//! Rules that an earlier one of their chain makes useless, and marks that no packet has.

use std::collections::BTreeMap;

use hookwalk_engine::TableName;
use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::types::{InterfacePattern, MaskedAddress, Negatable};
use hookwalk_parser::{Chain, Rule, Table};

use super::{Check, Lint};
use crate::reach::{ChainAt, TABLES};

/// With so many rules before it that could cover it, a rule is not looked at further.
const MOST_EARLIER: usize = 256;

pub(super) fn check(lint: &mut Lint<'_, '_>) {
    for name in TABLES {
        let tables: Vec<(usize, usize, &Table)> = lint.tables.named(name).collect();
        for (dump, at, table) in tables {
            for (number, chain) in table.chains.iter().enumerate() {
                let here = ChainAt { dump, table: at, chain: number };
                never_matching_marks(lint, here, chain);
                covered(lint, here, chain, name);
            }
        }
    }
}

fn never_matching_marks(lint: &mut Lint<'_, '_>, here: ChainAt, chain: &Chain) {
    for (number, rule) in chain.rules.iter().enumerate() {
        let marks = rule.matches.iter().filter_map(|m| match m {
            Match::Mark(m) => m.mark,
            Match::Connmark(m) => m.mark,
            _ => None,
        });
        for mark in marks.filter(|mark| mark.value.value & !mark.value.mask != 0) {
            let often = if mark.negated { "every packet" } else { "no packet" };
            let message =
                format!("`--mark {}` holds for {often}: the mask leaves out bits of the value", mark.value);
            lint.tell(Check::MarkNeverMatches, here, Some(number), message);
        }
    }
}

/// Rules of which an earlier one takes every packet.
fn covered(lint: &mut Lint<'_, '_>, here: ChainAt, chain: &Chain, table: TableName) {
    // Most rules of a large chain are for one destination: only those of the same, and those for more,
    // can stand in their way.
    let mut by_destination: BTreeMap<MaskedAddressKey, Vec<usize>> = BTreeMap::new();
    let mut general: Vec<usize> = Vec::new();
    for (number, rule) in chain.rules.iter().enumerate() {
        let key = host_key(rule);
        let same = key.as_ref().and_then(|key| by_destination.get(key)).map_or(&[][..], Vec::as_slice);
        let earlier = same.iter().chain(&general).copied();
        let found = earlier
            .take(MOST_EARLIER)
            .filter_map(|earlier| Some((earlier, chain.rules.get(earlier)?)))
            .filter(|(_, before)| covers(before, rule))
            .filter(|(earlier, before)| {
                let between = chain.rules.get(earlier + 1..number).unwrap_or_default();
                !asks_what_changes(before) || !between.iter().any(|rule| changes(&rule.target))
            })
            .min_by_key(|(earlier, _)| *earlier);
        if let Some((earlier, before)) = found {
            let (at, same_target) = (before.line, before.target == rule.target);
            if same_target && same_conditions(before, rule) {
                let message = format!("rule {} (line {at}) of the chain is the same", earlier + 1);
                lint.tell(Check::DuplicateRule, here, Some(number), message);
            } else if !same_target && takes_all(&before.target, table) && rule.target != Target::None {
                let message = format!(
                    "it is never met: rule {} (line {at}) of the chain takes all that it would match",
                    earlier + 1
                );
                lint.tell(Check::ShadowedRule, here, Some(number), message);
            }
        }
        if may_shadow(rule, table) {
            match key {
                Some(key) => by_destination.entry(key).or_default().push(number),
                None => general.push(number),
            }
        }
    }
}

type MaskedAddressKey = std::net::IpAddr;

/// The one destination that a rule is for.
fn host_key(rule: &Rule) -> Option<MaskedAddressKey> {
    let wanted = rule.base.destination().filter(|wanted| !wanted.negated)?;
    let address = wanted.value.address();
    (wanted.value == MaskedAddress::host(address)).then_some(address)
}

/// Whether a rule can make a later one useless: it does not draw lots, and has no memory.
fn may_shadow(rule: &Rule, table: TableName) -> bool {
    let always = |m: &Match| {
        !matches!(
            m,
            Match::Statistic(_)
                | Match::Recent(_)
                | Match::Limit(_)
                | Match::Hashlimit(_)
                | Match::Quota(_)
                | Match::Connlimit(_)
                | Match::Nfacct(_)
                | Match::Rateest(_)
                | Match::Unknown(_)
        )
    };
    rule.matches.iter().all(always)
        && (takes_all(&rule.target, table)
            || matches!(rule.target, Target::Jump(_) | Target::None | Target::Mark(_) | Target::Log(_)))
}

/// Whether no packet that matches goes on to the next rule of the chain.
fn takes_all(target: &Target, table: TableName) -> bool {
    match target {
        Target::Accept | Target::Drop | Target::Return | Target::Reject(_) | Target::Goto(_) => true,
        Target::Dnat(_) | Target::Snat(_) | Target::Masquerade(_) | Target::Redirect(_) => {
            table == TableName::Nat
        }
        _ => false,
    }
}

/// Whether a rule asks for what rules behind it can change.
fn asks_what_changes(rule: &Rule) -> bool {
    let changing = |m: &Match| {
        matches!(
            m,
            Match::Mark(_) | Match::Connmark(_) | Match::Set(_) | Match::Conntrack(_) | Match::State(_)
        )
    };
    rule.matches.iter().any(changing)
}

/// Whether a target changes marks, sets or tracking, or leads to rules that may.
fn changes(target: &Target) -> bool {
    matches!(
        target,
        Target::Jump(_)
            | Target::Mark(_)
            | Target::Connmark(_)
            | Target::Ct(_)
            | Target::Notrack(_)
            | Target::Set(_)
            | Target::Unknown(_)
    )
}

fn same_conditions(a: &Rule, b: &Rule) -> bool {
    a.base == b.base && told(a).eq(told(b))
}

/// The matches of a rule that can fail.
fn told(rule: &Rule) -> impl Iterator<Item = &Match> {
    rule.matches.iter().filter(|m| !matches!(m, Match::Comment(_)))
}

/// Whether every packet that matches the second rule matches the first.
fn covers(wide: &Rule, narrow: &Rule) -> bool {
    address_covers(wide.base.source(), narrow.base.source())
        && address_covers(wide.base.destination(), narrow.base.destination())
        && interface_covers(wide.base.in_interface(), narrow.base.in_interface())
        && interface_covers(wide.base.out_interface(), narrow.base.out_interface())
        && (wide.base.protocol().is_none() || wide.base.protocol() == narrow.base.protocol())
        && (wide.base.fragment().is_none() || wide.base.fragment() == narrow.base.fragment())
        && told(wide).all(|m| is_bare(m) || told(narrow).any(|other| other == m))
}

/// `-m tcp` without options asks no more than `-p tcp`.
fn is_bare(m: &Match) -> bool {
    matches!(m, Match::Tcp(_) | Match::Udp(_) | Match::Sctp(_)) && m.options().is_empty()
}

fn address_covers(wide: Option<Negatable<MaskedAddress>>, narrow: Option<Negatable<MaskedAddress>>) -> bool {
    let Some(wide) = wide else { return true };
    let Some(narrow) = narrow else { return wide.value.is_any() && !wide.negated };
    if wide == narrow {
        return true;
    }
    if narrow.negated {
        return false;
    }
    let (Some(wide_len), Some(narrow_len)) = (wide.value.prefix_len(), narrow.value.prefix_len()) else {
        return false;
    };
    let inside = narrow_len >= wide_len && wide.value.contains(narrow.value.address());
    let apart = !inside && (narrow_len >= wide_len || !narrow.value.contains(wide.value.address()));
    if wide.negated { apart } else { inside }
}

fn interface_covers(
    wide: Option<Negatable<InterfacePattern>>,
    narrow: Option<Negatable<InterfacePattern>>,
) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) if wide == narrow => true,
        (Some(wide), Some(narrow)) if !wide.negated && !narrow.negated => {
            wide.value.is_prefix() && narrow.value.name().starts_with(wide.value.name())
        }
        _ => false,
    }
}
