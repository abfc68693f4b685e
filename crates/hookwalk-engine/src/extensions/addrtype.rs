use std::net::{IpAddr, Ipv6Addr};

use hookwalk_parser::extensions::{AddressType, AddressTypes, AddrtypeMatch};
use hookwalk_parser::types::Negatable;

use crate::host::{InterfaceAddress, RouteKey, Routed};
use crate::packet::InterfaceName;
use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, View};

/// `--limit-iface-*`: the interface whose addresses count, where it is known.
#[derive(Clone, Copy)]
enum Limit {
    None,
    To(Option<InterfaceName>),
}

pub(super) fn test(m: &AddrtypeMatch, view: &View<'_>) -> Answer {
    let limit = if m.limit_iface_in {
        Limit::To(view.in_interface())
    } else if m.limit_iface_out {
        Limit::To(view.out_interface())
    } else {
        Limit::None
    };
    let one = |types: Option<Negatable<AddressTypes>>, address: IpAddr| match types {
        None => Answer::Yes,
        Some(types) => match (address, limit) {
            (IpAddr::V6(v6), _) => address_type6(types.value, v6, limit, view),
            (_, Limit::None) => address_type(types.value, address, view),
            (_, Limit::To(interface)) => limited(types.value, address, interface, view),
        }
        .negate(types.negated),
    };
    // Whatever MASQUERADE chose, it is an address of this node.
    if view.state.src_unknown && matches!(limit, Limit::None) {
        let local = m.src_type.is_none_or(|types| types.holds(|types| types.contains(AddressType::Local)));
        return Answer::from(local).and(|| one(m.dst_type, view.state.dst));
    }
    one(m.src_type, view.state.src).and(|| one(m.dst_type, view.state.dst))
}

fn address_type(types: AddressTypes, address: IpAddr, view: &View<'_>) -> Answer {
    match view.host.address_type(address) {
        Some(kind) => types.contains(kind).into(),
        None => {
            view.ask(Question::Number { field: Field::TypeOf(address), wanted: Ranges::types(types.iter()) })
        }
    }
}

/// In IPv6 the types are not apart from each other (kernel: `net/netfilter/xt_addrtype.c`, `match_type6`). UNICAST,
/// MULTICAST and UNSPEC are told by the address, and each of them that is asked has to hold; an address of
/// this node is UNICAST too. Of LOCAL, ANYCAST and UNREACHABLE, which routing tells, one is enough.
fn address_type6(types: AddressTypes, address: Ipv6Addr, limit: Limit, view: &View<'_>) -> Answer {
    let asks = |kind: AddressType| types.contains(kind);
    let is_unicast = !address.is_multicast() && !address.is_unspecified();
    if asks(AddressType::Multicast) && !address.is_multicast()
        || asks(AddressType::Unicast) && !is_unicast
        || asks(AddressType::Unspec) && !address.is_unspecified()
    {
        return Answer::No;
    }
    let by_route = [AddressType::Local, AddressType::Anycast, AddressType::Unreachable];
    if !by_route.into_iter().any(asks) {
        return Answer::Yes;
    }
    let address = IpAddr::V6(address);
    if let Some(kinds) = limited6(address, types, limit, view) {
        return kinds.into_iter().any(asks).into();
    }
    let known = view.host.address_type(address);
    let is_local_or_unknown = known.is_none_or(|kind| kind == AddressType::Local);
    match limit {
        Limit::To(interface) if asks(AddressType::Local) && is_local_or_unknown => {
            limited(types, address, interface, view)
        }
        _ => match known {
            Some(kind) => routed6(address, kind, view).into_iter().any(asks).into(),
            None => {
                let wanted = Ranges::types(types.iter().filter(|kind| by_route.contains(kind)));
                view.ask(Question::Number { field: Field::TypeOf(address), wanted })
            }
        },
    }
}

/// What the route to an address says of it, which may be several things.
fn routed6(address: IpAddr, kind: AddressType, view: &View<'_>) -> Vec<AddressType> {
    let routing = view.host.routing();
    let key = RouteKey::to(address);
    if routing.is_known() && matches!(routing.route(&key), Routed::Refused(_)) {
        return vec![AddressType::Unreachable];
    }
    let is_local = kind == AddressType::Anycast && routing.has_local(address);
    let is_anycast = routing.is_anycast(&key);
    let also = [(is_local, AddressType::Local), (is_anycast, AddressType::Anycast)];
    also.into_iter().filter_map(|(is, kind)| is.then_some(kind)).chain([kind]).collect()
}

/// What the route to an address by one interface says of it, and whether that interface holds it (kernel:
/// `net/netfilter/xt_addrtype.c`, `match_lookup_rt6`); none where routes or addresses are not told.
fn limited6(address: IpAddr, types: AddressTypes, limit: Limit, view: &View<'_>) -> Option<Vec<AddressType>> {
    let Limit::To(Some(interface)) = limit else { return None };
    let (all, routing) = (view.host.interface_addresses()?, view.host.routing());
    // Without the table `local` routes tell only of others' addresses.
    if !routing.tells_local(address) {
        return None;
    }
    let holds = all.iter().any(|own| own.interface == interface && own.address() == address);
    let key = RouteKey { out_interface: Some(interface), ..RouteKey::to(address) };
    let is_reachable = match routing.route(&key) {
        Routed::Unknown => return None,
        Routed::Refused(_) => false,
        Routed::Local | Routed::Broadcast(_) | Routed::Forward(_) => true,
    };
    if !is_reachable {
        return Some(vec![AddressType::Unreachable]);
    }
    let is_local = holds && types.contains(AddressType::Local);
    let also = [(is_local, AddressType::Local), (routing.is_anycast(&key), AddressType::Anycast)];
    Some(also.into_iter().filter_map(|(is, kind)| is.then_some(kind)).collect())
}

/// With `--limit-iface-*` an address is LOCAL only when that interface holds it
/// (kernel: `net/ipv4/fib_frontend.c`, `inet_dev_addr_type`).
fn limited(
    types: AddressTypes,
    address: IpAddr,
    interface: Option<InterfaceName>,
    view: &View<'_>,
) -> Answer {
    let kind = view.host.address_type(address);
    let is_local_or_unknown = kind.is_none_or(|kind| kind == AddressType::Local);
    if !is_local_or_unknown {
        return kind.is_some_and(|kind| types.contains(kind)).into();
    }
    // IPv4 goes by the interface of the local route, IPv6 by who holds the address.
    let by_route = view.host.routing().local_by(address).filter(|_| address.is_ipv4());
    let holds = |all: &[InterfaceAddress], interface: InterfaceName| match by_route {
        Some(by) => by == interface,
        None => all.iter().any(|own| own.interface == interface && own.address() == address),
    };
    match (view.host.interface_addresses(), interface) {
        (Some(all), Some(interface)) => {
            let on_it = holds(all, interface);
            types.contains(if on_it { AddressType::Local } else { AddressType::Unicast }).into()
        }
        _ => {
            let by = interface.map_or_else(|| "that interface".to_owned(), |name| format!("`{name}`"));
            let text = format!("{address} is of type {types} on {by}");
            view.ask(Question::Opaque { text, seen: view.state.rewrites })
        }
    }
}
