use hookwalk_parser::extensions::{SetDirection, SetMatch, SetReference};
use hookwalk_parser::types::{Family, Protocol, Text};

use super::Effect;
use crate::host::{IpSet, Lookup, SetDimension, Wanted};
use crate::packet::InterfaceName;
use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, Interface, State, View};

/// kernel: `net/netfilter/xt_set.c`. Further flags of the rule than the set has dimensions are ignored, with
/// too few nothing is in it.
pub(super) fn test(m: &SetMatch, view: &View<'_>) -> Answer {
    let Some(reference) = &m.match_set else { return Answer::Yes };
    // With --return-nomatch the entries marked so are the only ones of a set of networks that match
    // (`ip_set_test`), and a set does not tell here whether it is one of networks.
    let plain = m.packets.is_none() && m.bytes.is_none() && !m.return_nomatch;
    let answer = if plain { holds(&reference.value, view, 0).0 } else { ask(&reference.value, view) };
    answer.negate(reference.negated)
}

/// `SET --map-mark`: the mark that the member has goes to the packet.
pub(super) fn map_mark(reference: &SetReference, state: &mut State, view: &View<'_>) -> Effect {
    match holds(reference, view, 0) {
        (Answer::Ask(question), _) => Effect::Ask(question),
        (Answer::Yes, Some(Member { mark: Some((value, mask)) })) => {
            state.mark = (state.mark & !mask) ^ value;
            Effect::Continue
        }
        (Answer::Yes, None) => {
            Effect::Unknown(format!("the mark that set `{}` has for the packet is not known", reference.name))
        }
        _ => Effect::Continue,
    }
}

/// A member of a set that is known.
struct Member {
    /// Its mark and mask for packets, where it has one.
    mark: Option<(u32, u32)>,
}

/// Deeper than this no list of sets is followed; the kernel does not let a list hold a list.
const MOST_DEEP: u8 = 2;

/// Whether a set holds what the packet has, and the mark of the member where the set is known.
fn holds(reference: &SetReference, view: &View<'_>, depth: u8) -> (Answer, Option<Member>) {
    let known = view
        .host
        .set(&reference.name)
        .filter(|_| !view.state.sets_changed.may_contain(&reference.name) && depth < MOST_DEEP);
    let Some(set) = known else { return (ask(reference, view), None) };
    if let Some(sets) = set.members_of_list() {
        return in_list(sets, set, reference, view, depth);
    }
    let directions = &reference.dimensions.0;
    let dimensions = set.dimensions();
    if directions.len() < dimensions.len() || !set.is_of(Family::of(view.state.src)) {
        return (Answer::No, None);
    }
    let wanted: Vec<Wanted> =
        dimensions.iter().zip(directions).map(|(of, way)| wanted(*of, *way, view)).collect();
    let elapsed = view.past.elapsed();
    match set.find(&wanted, elapsed) {
        // A narrower entry that is missing could be the one that decides, either way.
        _ if set.lacks() => (ask(reference, view), None),
        Lookup::Yes(mark) => (Answer::Yes, Some(Member { mark })),
        Lookup::No => (Answer::No, None),
        Lookup::Unknown => (by_port(set, &wanted, directions, dimensions, view, reference), None),
    }
}

/// One of a list's sets must hold it, in order.
fn in_list(
    sets: &[Text],
    list: &IpSet,
    reference: &SetReference,
    view: &View<'_>,
    depth: u8,
) -> (Answer, Option<Member>) {
    if list.lacks() {
        return (ask(reference, view), None);
    }
    let mut answer = (Answer::No, None);
    for name in sets {
        let member = SetReference { name: name.clone(), dimensions: reference.dimensions.clone() };
        match holds(&member, view, depth + 1) {
            (Answer::No, _) => {}
            (Answer::Yes, mark) => return (Answer::Yes, mark),
            asked if answer.0 == Answer::No => answer = asked,
            _ => {}
        }
    }
    answer
}

/// Where only a port is not known, the ports that would do are asked for.
fn by_port(
    set: &IpSet,
    wanted: &[Wanted],
    directions: &[SetDirection],
    dimensions: &[SetDimension],
    view: &View<'_>,
    reference: &SetReference,
) -> Answer {
    let protocol = view.packet.protocol;
    let open = wanted.iter().position(|part| *part == Wanted::Unknown);
    let of_port =
        |at: &usize| matches!(dimensions.get(*at), Some(SetDimension::Port | SetDimension::BarePort));
    let direction = open.filter(of_port).and_then(|at| directions.get(at));
    let (Some(direction), Some(ports)) = (direction, set.ports(wanted, protocol, view.past.elapsed())) else {
        return ask(reference, view);
    };
    let field = match (protocol, direction) {
        (Protocol::ICMP | Protocol::ICMPV6, _) => Field::IcmpTypeAndCode,
        (_, SetDirection::Src) => view.state.source_port_field(),
        (_, SetDirection::Dst) => view.state.destination_port_field(),
    };
    let wanted = Ranges::new(ports.into_iter().map(|port| (u32::from(port), u32::from(port))));
    view.ask(Question::Number { field, wanted })
}

/// What the packet has for a dimension.
fn wanted(dimension: SetDimension, direction: SetDirection, view: &View<'_>) -> Wanted {
    let state = view.state;
    let of_source = direction == SetDirection::Src;
    match dimension {
        SetDimension::Address => Wanted::Address(if of_source { state.src } else { state.dst }),
        SetDimension::Port => port(of_source, view),
        SetDimension::BarePort => match (view.packet.protocol, port(of_source, view)) {
            (Protocol::TCP | Protocol::UDP, Wanted::Port(_, port)) => Wanted::BarePort(port),
            (Protocol::TCP | Protocol::UDP, other) => other,
            _ => Wanted::Nothing,
        },
        SetDimension::Mac | SetDimension::OptionalMac => match view.packet.mac {
            _ if view.is_sent_here() || view.in_interface() == Some(InterfaceName::LOOPBACK) => {
                Wanted::Nothing
            }
            Some(mac) if of_source => Wanted::Mac(mac),
            _ => Wanted::Unknown,
        },
        SetDimension::Mark { mask } => Wanted::Mark(state.mark & mask),
        SetDimension::Interface => match if of_source { state.in_interface } else { state.out } {
            Interface::Known(name) => Wanted::Interface(name),
            Interface::None => Wanted::Nothing,
            Interface::Unknown => Wanted::Unknown,
        },
    }
}

/// kernel: `net/netfilter/ipset/ip_set_getport.c`. Later fragments have none; of other protocols it is 0.
fn port(of_source: bool, view: &View<'_>) -> Wanted {
    let packet = view.packet;
    let of_icmp = matches!(packet.protocol, Protocol::ICMP | Protocol::ICMPV6);
    if (packet.protocol.has_ports() || of_icmp) && view.is_later_fragment() {
        return Wanted::Nothing;
    }
    if of_icmp {
        return match (packet.icmp_type, packet.icmp_code) {
            (Some(kind), Some(code)) => Wanted::Port(packet.protocol, u16::from(kind) << 8 | u16::from(code)),
            _ => Wanted::Unknown,
        };
    }
    if !packet.protocol.has_ports() {
        return Wanted::Port(packet.protocol, 0);
    }
    match if of_source { view.state.sport } else { view.state.dport } {
        Some(port) => Wanted::Port(packet.protocol, port),
        None => Wanted::Unknown,
    }
}

/// The question whether a set holds the packet's element.
fn ask(reference: &SetReference, view: &View<'_>) -> Answer {
    let state = view.state;
    let port = |port: Option<u16>| port.map_or_else(|| "?".to_owned(), |port| port.to_string());
    let parts = reference.dimensions.0.iter().enumerate().map(|(at, direction)| match (at, direction) {
        (0, SetDirection::Src) => state.src.to_string(),
        (0, SetDirection::Dst) => state.dst.to_string(),
        // Without the set's type a further dimension is a port in all but rare sets.
        (_, SetDirection::Src) => format!("{}:{}", view.packet.protocol, port(state.sport)),
        (_, SetDirection::Dst) => format!("{}:{}", view.packet.protocol, port(state.dport)),
    });
    let element = parts.collect::<Vec<_>>().join(",");
    view.ask(Question::SetHolds { set: reference.name.clone(), element })
}
