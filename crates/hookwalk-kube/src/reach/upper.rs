use hookwalk_parser::types::Protocol;

use super::spans::Spans;

/// Protocols and the destination ports that each can have, exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Upper(Vec<(Protocols, Spans)>);

/// A set of protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Protocols([u128; 2]);

impl Protocols {
    const ALL: Protocols = Protocols([u128::MAX; 2]);
    const NONE: Protocols = Protocols([0; 2]);

    pub(crate) const fn one(protocol: Protocol) -> Self {
        let bit = 1_u128 << (protocol.0 & 127);
        Protocols(if protocol.0 < 128 { [bit, 0] } else { [0, bit] })
    }

    const fn and(self, other: Protocols) -> Protocols {
        Protocols([self.0[0] & other.0[0], self.0[1] & other.0[1]])
    }

    const fn or(self, other: Protocols) -> Protocols {
        Protocols([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    const fn not(self) -> Protocols {
        Protocols([!self.0[0], !self.0[1]])
    }

    fn is_empty(self) -> bool {
        self == Protocols::NONE
    }
}

impl Upper {
    pub(crate) fn any() -> Self {
        Upper(vec![(Protocols::ALL, Spans::up_to(Spans::PORTS))])
    }

    /// Brings groups into one form: equal ports in one group, empty groups gone.
    fn tidy(groups: impl IntoIterator<Item = (Protocols, Spans)>) -> Self {
        let mut tidied: Vec<(Protocols, Spans)> = Vec::new();
        for (protocols, ports) in groups {
            if protocols.is_empty() || ports.is_empty() {
                continue;
            }
            match tidied.iter_mut().find(|(_, known)| *known == ports) {
                Some((same, _)) => *same = same.or(protocols),
                None => tidied.push((protocols, ports)),
            }
        }
        tidied.sort_unstable_by_key(|(protocols, _)| *protocols);
        Upper(tidied)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there are any of some protocols, and any others.
    pub(crate) fn has(&self, wanted: Protocols) -> (bool, bool) {
        let any = |set: Protocols| self.0.iter().any(|(protocols, _)| !protocols.and(set).is_empty());
        (any(wanted), any(wanted.not()))
    }

    /// Those of some protocols, and the others.
    pub(crate) fn split_protocols(&self, wanted: Protocols) -> (Upper, Upper) {
        let of = |set: Protocols| {
            Upper::tidy(self.0.iter().map(|(protocols, ports)| (protocols.and(set), ports.clone())))
        };
        (of(wanted), of(wanted.not()))
    }

    /// Those with some destination ports, and the others.
    pub(crate) fn split_ports(&self, wanted: &Spans) -> (Upper, Upper) {
        let with = Upper::tidy(self.0.iter().map(|(p, ports)| (*p, ports.intersection(wanted))));
        let without = Upper::tidy(self.0.iter().map(|(p, ports)| (*p, ports.without(wanted))));
        (with, without)
    }

    /// The same protocols, each with these destination ports.
    pub(crate) fn to_ports(&self, ports: &Spans) -> Upper {
        Upper::tidy(self.0.iter().map(|(protocols, _)| (*protocols, ports.clone())))
    }

    pub(crate) fn union(&self, other: &Upper) -> Upper {
        let mut all = Vec::new();
        for (protocols, ports) in &self.0 {
            let mut left = *protocols;
            for (others, other_ports) in &other.0 {
                all.push((protocols.and(*others), ports.union(other_ports)));
                left = left.and(others.not());
            }
            all.push((left, ports.clone()));
        }
        let mine = self.0.iter().fold(Protocols::NONE, |mine, (protocols, _)| mine.or(*protocols));
        all.extend(other.0.iter().map(|(protocols, ports)| (protocols.and(mine.not()), ports.clone())));
        Upper::tidy(all)
    }

    /// The destination ports of every protocol together.
    #[cfg(test)]
    pub(crate) fn ports(&self) -> Spans {
        Spans::new(self.0.iter().flat_map(|(_, ports)| ports.ranges().iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_one_port_takes_that_port_alone() {
        let udp = Protocols::one(Protocol::UDP);
        let (udp_only, others) = Upper::any().split_protocols(udp);
        let (dns, rest) = udp_only.split_ports(&Spans::one(53));
        assert_eq!(dns.ports().only(), Some(53));
        assert!(dns.split_protocols(udp).1.is_empty());
        // Whatever was split comes together again.
        assert_eq!(rest.union(&others).union(&dns), Upper::any());
        let left = rest.union(&others);
        assert!(left.split_protocols(udp).0.split_ports(&Spans::one(53)).0.is_empty());
        assert!(
            !left.split_protocols(Protocols::one(Protocol::TCP)).0.split_ports(&Spans::one(53)).0.is_empty()
        );
    }
}
