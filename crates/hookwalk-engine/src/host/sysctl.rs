use std::collections::BTreeMap;

use hookwalk_parser::types::Family;

use crate::packet::InterfaceName;

/// The kernel settings that decide a packet's way (kernel: `Documentation/networking/ip-sysctl.rst`).
/// What is absent is what a dump's node most likely has: see each one's default.
///
/// ```
/// use hookwalk_engine::{ReversePath, Sysctls};
/// let eth0 = "eth0".parse().unwrap();
/// let mut sysctls = Sysctls::default();
/// assert!(sysctls.forwarding4(eth0));
/// sysctls.all4.reverse_path = Some(ReversePath::Loose);
/// sysctls.interfaces4.entry(eth0).or_default().reverse_path = Some(ReversePath::Strict);
/// // The kernel takes the higher number of `all` and the interface: 2 is loose.
/// assert_eq!(sysctls.reverse_path(eth0), ReversePath::Loose);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sysctls {
    /// `net.ipv4.conf.all`; its `forwarding` is `net.ipv4.ip_forward`.
    pub all4: InterfaceSysctls,
    /// `net.ipv4.conf.INTERFACE`
    pub interfaces4: BTreeMap<InterfaceName, InterfaceSysctls>,
    /// `net.ipv6.conf.all`
    pub all6: InterfaceSysctls,
    /// `net.ipv6.conf.INTERFACE`
    pub interfaces6: BTreeMap<InterfaceName, InterfaceSysctls>,
    /// `net.netfilter.nf_conntrack_tcp_loose`: a TCP packet that is no SYN may start a connection.
    /// Taken for 1, the kernel's default.
    pub tcp_loose: Option<bool>,
    /// `net.netfilter.nf_conntrack_tcp_be_liberal`: TCP packets outside the window are tracked too. It
    /// decides no walk: sequence numbers are no part of a packet here.
    pub tcp_be_liberal: Option<bool>,
}

/// The settings that each interface has, and all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InterfaceSysctls {
    /// `forwarding`: packets for others that come in here are forwarded. Taken for 1, which every node
    /// of a cluster has.
    pub forwarding: Option<bool>,
    /// `force_forwarding` (IPv6, Linux 6.17): the same whatever `all` says.
    pub force_forwarding: Option<bool>,
    /// `route_localnet`: 127.0.0.0/8 may come in and leave here. Taken for 0, the kernel's default.
    pub route_localnet: Option<bool>,
    /// `accept_local`: a packet from an address of this node may come in here. Taken for 0.
    pub accept_local: Option<bool>,
    /// `rp_filter`: whether the way back to the sender is looked at. Taken for 0.
    pub reverse_path: Option<ReversePath>,
    /// `src_valid_mark`: the way back is looked up with the packet's mark. Taken for 0.
    pub src_valid_mark: Option<bool>,
}

/// `rp_filter` (RFC 3704).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ReversePath {
    /// 0: any source is taken.
    #[default]
    Off,
    /// 1: an answer would leave by the interface that the packet came by.
    Strict,
    /// 2: there is some route back.
    Loose,
}

impl Sysctls {
    /// The settings of `all` of a family.
    pub fn all_mut(&mut self, family: Family) -> &mut InterfaceSysctls {
        match family {
            Family::V4 => &mut self.all4,
            Family::V6 => &mut self.all6,
        }
    }

    /// The settings of an interface.
    pub fn interface_mut(&mut self, family: Family, interface: InterfaceName) -> &mut InterfaceSysctls {
        let interfaces = match family {
            Family::V4 => &mut self.interfaces4,
            Family::V6 => &mut self.interfaces6,
        };
        interfaces.entry(interface).or_default()
    }

    fn of4(&self, interface: InterfaceName) -> InterfaceSysctls {
        self.interfaces4.get(&interface).copied().unwrap_or_default()
    }

    /// Whether IPv4 packets for others that come in by an interface are forwarded.
    pub fn forwarding4(&self, interface: InterfaceName) -> bool {
        self.forwarding4_known(interface).unwrap_or(true)
    }

    /// The same where it is told. Writing `ip_forward` sets every interface, so that `all` speaks for
    /// those that are not listed.
    pub(crate) fn forwarding4_known(&self, interface: InterfaceName) -> Option<bool> {
        self.of4(interface).forwarding.or(self.all4.forwarding)
    }

    /// Whether IPv6 packets for others that come in by an interface are forwarded
    /// (kernel: `net/ipv6/ip6_output.c`, `ip6_forward`): only `all` is asked.
    pub fn forwarding6(&self, interface: InterfaceName) -> bool {
        self.forwarding6_known(interface).unwrap_or(true)
    }

    pub(crate) fn forwarding6_known(&self, interface: InterfaceName) -> Option<bool> {
        let forced = self.interfaces6.get(&interface).and_then(|own| own.force_forwarding);
        if forced == Some(true) { forced } else { self.all6.forwarding }
    }

    /// Whether 127.0.0.0/8 may come in or leave by an interface: `all` or the interface allows it.
    pub fn route_localnet(&self, interface: InterfaceName) -> bool {
        either(self.all4.route_localnet, self.of4(interface).route_localnet)
    }

    /// Whether anything is told about `route_localnet` of an interface.
    pub(crate) fn tells_route_localnet(&self, interface: InterfaceName) -> bool {
        self.all4.route_localnet.or(self.of4(interface).route_localnet).is_some()
    }

    /// Whether a packet from an own address may come in: `all` or the interface allows it.
    pub fn accept_local(&self, interface: InterfaceName) -> bool {
        either(self.all4.accept_local, self.of4(interface).accept_local)
    }

    /// How the way back of what comes in by an interface is looked at: the higher number counts.
    pub fn reverse_path(&self, interface: InterfaceName) -> ReversePath {
        self.all4.reverse_path.max(self.of4(interface).reverse_path).unwrap_or_default()
    }

    /// Whether anything is told about `rp_filter` of an interface.
    pub(crate) fn tells_reverse_path(&self, interface: InterfaceName) -> bool {
        self.all4.reverse_path.or(self.of4(interface).reverse_path).is_some()
    }

    /// Whether the way back is looked up with the packet's mark.
    pub fn src_valid_mark(&self, interface: InterfaceName) -> bool {
        either(self.all4.src_valid_mark, self.of4(interface).src_valid_mark)
    }
}

fn either(all: Option<bool>, own: Option<bool>) -> bool {
    all == Some(true) || own == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_and_all_go_together_as_the_kernel_does() {
        let (eth0, eth1): (InterfaceName, InterfaceName) = ("eth0".parse().unwrap(), "eth1".parse().unwrap());
        let mut sysctls = Sysctls::default();
        sysctls.all4.forwarding = Some(true);
        sysctls.interface_mut(Family::V4, eth0).forwarding = Some(false);
        assert!(!sysctls.forwarding4(eth0) && sysctls.forwarding4(eth1));
        sysctls.all4.reverse_path = Some(ReversePath::Strict);
        sysctls.interface_mut(Family::V4, eth1).reverse_path = Some(ReversePath::Off);
        assert_eq!(sysctls.reverse_path(eth1), ReversePath::Strict);
        sysctls.interface_mut(Family::V4, eth1).route_localnet = Some(true);
        assert!(sysctls.route_localnet(eth1) && !sysctls.route_localnet(eth0));
        sysctls.all6.forwarding = Some(false);
        sysctls.interface_mut(Family::V6, eth0).forwarding = Some(true);
        assert!(!sysctls.forwarding6(eth0));
        sysctls.interface_mut(Family::V6, eth0).force_forwarding = Some(true);
        assert!(sysctls.forwarding6(eth0));
    }
}
