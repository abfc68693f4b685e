use hookwalk_engine::{Host, TableName};
use hookwalk_parser::extensions::{ConnmarkAction, Target};
use hookwalk_parser::types::{Family, NatRange, Text};

use super::class::{self, Class, States, Types};
use super::spans::Spans;

/// Where packets go that match.
pub(crate) enum Go<'r> {
    /// To the next rule.
    On(Class),
    /// Out of the table.
    Accept(Class),
    /// Back to the caller.
    Return(Class),
    Jump(&'r Text, Class),
    Goto(&'r Text, Class),
    /// They end here.
    End,
    /// It cannot be told: on, out or nowhere.
    Unknown(Class),
}

pub(crate) fn go<'r>(
    target: &'r Target,
    table: TableName,
    mut class: Class,
    family: Family,
    host: &Host,
) -> Go<'r> {
    match target {
        Target::Accept => Go::Accept(class),
        Target::Return => Go::Return(class),
        Target::Jump(chain) => Go::Jump(chain, class),
        Target::Goto(chain) => Go::Goto(chain, class),
        Target::Drop | Target::Reject(_) | Target::Queue | Target::Nfqueue(_) => Go::End,
        Target::Mark(t) => {
            class.mark = class.mark.set(t.value, t.mask);
            Go::On(class)
        }
        Target::Connmark(t) => {
            if let Some(ConnmarkAction::Restore(masks)) = t.action {
                class.mark = class.mark.forget(masks.nfmask | masks.ctmask);
            }
            Go::On(class)
        }
        Target::Ct(t) if t.notrack => {
            class.states = States::UNTRACKED;
            Go::On(class)
        }
        Target::Notrack(_) => {
            class.states = States::UNTRACKED;
            Go::On(class)
        }
        Target::Dnat(t) if table == TableName::Nat => Go::Accept(to(class, &t.to, family, host)),
        Target::Redirect(t) if table == TableName::Nat => {
            class.dst = class::all_addresses(family);
            class.dst_types = Types::LOCAL;
            if let Some(ports) = t.to_ports {
                class.upper = class.upper.to_ports(&span(ports.0.first, ports.0.last));
            }
            Go::Accept(rewritten(class))
        }
        Target::Netmap(t) if table == TableName::Nat => {
            // Which of the two addresses changes depends on the hook; both are open then.
            let network = t.to.as_ref().and_then(class::network);
            class.dst = network.unwrap_or_else(|| class::all_addresses(family)).union(&class.dst);
            class.dst_types = Types::OPEN;
            class.src = class::all_addresses(family);
            Go::Accept(rewritten(class))
        }
        Target::Masquerade(_) | Target::Snat(_) if table == TableName::Nat => {
            class.src = class::all_addresses(family);
            class.sport = Spans::up_to(Spans::PORTS);
            Go::Accept(class)
        }
        Target::Unknown(_)
        | Target::Tproxy(_)
        | Target::Synproxy(_)
        | Target::Hmark(_)
        | Target::Dnpt(_)
        | Target::Snpt(_)
        | Target::Clusterip(_)
        | Target::Dnat(_)
        | Target::Redirect(_)
        | Target::Netmap(_)
        | Target::Masquerade(_)
        | Target::Snat(_) => Go::Unknown(class),
        Target::Set(t) if t.map_mark => Go::Unknown(class),
        _ => Go::On(class),
    }
}

/// A class with the destination rewritten.
fn to(mut class: Class, range: &NatRange, family: Family, host: &Host) -> Class {
    if let Some(addresses) = range.addresses {
        class.dst = Spans::new([(class::number(addresses.first), class::number(addresses.last))]);
        class.dst_types = Types::of_addresses(&class.dst, family, host);
    }
    if let Some(ports) = range.ports {
        class.upper = class.upper.to_ports(&span(ports.first, ports.last));
    }
    rewritten(class)
}

fn rewritten(mut class: Class) -> Class {
    class.dnat = true;
    class.rewritten = class.rewritten.saturating_add(1);
    class
}

fn span(first: u16, last: u16) -> Spans {
    Spans::new([(u128::from(first), u128::from(last))])
}
