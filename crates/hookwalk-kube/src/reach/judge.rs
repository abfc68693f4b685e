use hookwalk_engine::Host;
use hookwalk_parser::Rule;
use hookwalk_parser::extensions::{Match, MultiportPorts, RecentAction, SetDirection, StatisticMode};
use hookwalk_parser::types::{ConnState, ConnStates, Family, MaskedAddress, Negatable, PortRange};

use super::class::{self, Bits, Class, States, Types};
use super::spans::Spans;
use super::upper::Protocols;

/// What a rule makes of a class of packets.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Those that match, or may.
    pub(crate) matched: Option<Class>,
    /// Those that do not, or may not.
    pub(crate) others: Vec<Class>,
    /// For each condition of the rule whether some of the class fail it, in the order of
    /// [`conditions`].
    pub(crate) decides: Vec<bool>,
}

/// One condition of a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<'r> {
    /// `-s`
    Source(Negatable<MaskedAddress>),
    /// `-d`
    Destination(Negatable<MaskedAddress>),
    /// `-i`
    InInterface(Negatable<hookwalk_parser::types::InterfacePattern>),
    /// `-o`
    OutInterface(Negatable<hookwalk_parser::types::InterfacePattern>),
    /// `-p`
    Protocol(Negatable<hookwalk_parser::types::Protocol>),
    /// `-f`
    Fragment(Negatable<()>),
    /// `-m`
    Match(&'r Match),
}

/// The conditions of a rule in the order written.
pub(crate) fn conditions(rule: &Rule) -> impl Iterator<Item = Condition<'_>> {
    let base = &rule.base;
    let parts = [
        base.source().map(Condition::Source),
        base.destination().map(Condition::Destination),
        base.in_interface().map(Condition::InInterface),
        base.out_interface().map(Condition::OutInterface),
        base.protocol().map(Condition::Protocol),
        base.fragment().map(Condition::Fragment),
    ];
    parts.into_iter().flatten().chain(rule.matches.iter().map(Condition::Match))
}

/// A class in two: what holds, and what does not. Both are the class itself where nothing tells.
struct Split {
    yes: Option<Class>,
    no: Option<Class>,
    /// The parts overlap: nothing tells them apart.
    open: bool,
}

impl Split {
    fn all(class: &Class) -> Split {
        Split { yes: Some(class.clone()), no: None, open: false }
    }

    fn none(class: &Class) -> Split {
        Split { yes: None, no: Some(class.clone()), open: false }
    }

    fn open(class: &Class) -> Split {
        Split { yes: Some(class.clone()), no: Some(class.clone()), open: true }
    }

    fn exact(yes: Option<Class>, no: Option<Class>) -> Split {
        Split { yes, no, open: false }
    }

    fn negated(self, negated: bool) -> Split {
        if negated { Split { yes: self.no, no: self.yes, open: self.open } } else { self }
    }
}

/// Where a rule is met, and what is known of the host.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'h> {
    pub(crate) host: &'h Host,
    pub(crate) family: Family,
    /// Connection tracking has seen the packet.
    pub(crate) tracked: bool,
}

impl Judge<'_> {
    /// Whether addresses and protocol alone tell that no packet of the class matches, which is so for
    /// nearly all rules of a large dump.
    pub(crate) fn is_beside(&self, rule: &Rule, class: &Class) -> bool {
        let outside = |wanted: Option<Negatable<MaskedAddress>>, addresses: &Spans| {
            let (Some(wanted), Some(only)) = (wanted, addresses.only()) else { return false };
            !wanted.holds(|network| network.contains(class::address(only, self.family)))
        };
        outside(rule.base.destination(), &class.dst)
            || outside(rule.base.source(), &class.src)
            || rule.base.protocol().is_some_and(|wanted| {
                let (with, without) = class.upper.has(Protocols::one(wanted.value));
                if wanted.negated { !without } else { !with }
            })
    }

    /// Splits a class by a rule.
    pub(crate) fn judge(&self, rule: &Rule, class: &Class) -> Judged {
        let mut judged = Judged::default();
        let mut current = class.clone();
        let mut open = false;
        for condition in conditions(rule) {
            let split = self.split(condition, &current);
            judged.decides.push(split.no.is_some());
            open |= split.open;
            match split.yes {
                None => {
                    judged.others = vec![class.clone()];
                    // Conditions that hold in part do not tell where a later one fails wholly.
                    let last = judged.decides.len() - 1;
                    judged.decides.iter_mut().take(last).for_each(|decides| *decides = false);
                    return judged;
                }
                Some(yes) => current = yes,
            }
            judged.others.extend(split.no);
        }
        if open {
            // What nothing tells leaves all of the class behind the rule.
            judged.others = vec![class.clone()];
        } else if judged.others.len() > 1 {
            judged.others = class::joined(judged.others);
        }
        Judged { matched: Some(current), ..judged }
    }

    fn split(&self, condition: Condition<'_>, class: &Class) -> Split {
        match condition {
            Condition::Source(wanted) => {
                let Some(network) = class::network(&wanted.value) else { return Split::open(class) };
                source_in(class, &network).negated(wanted.negated)
            }
            Condition::Destination(wanted) => {
                let Some(network) = class::network(&wanted.value) else {
                    return match class.dst.only() {
                        Some(only) if wanted.value.contains(class::address(only, self.family)) => {
                            Split::all(class).negated(wanted.negated)
                        }
                        Some(_) => Split::none(class).negated(wanted.negated),
                        None => Split::open(class),
                    };
                };
                self.destination_in(class, &network).negated(wanted.negated)
            }
            Condition::InInterface(wanted) => {
                let (yes, no) = class.in_interface.split(&wanted.value);
                let with = |i: Option<_>| i.map(|in_interface| Class { in_interface, ..class.clone() });
                Split::exact(with(yes), with(no)).negated(wanted.negated)
            }
            Condition::OutInterface(wanted) => {
                let (yes, no) = class.out_interface.split(&wanted.value);
                let with = |o: Option<_>| o.map(|out_interface| Class { out_interface, ..class.clone() });
                Split::exact(with(yes), with(no)).negated(wanted.negated)
            }
            Condition::Protocol(wanted) => {
                let (yes, no) = class.upper.split_protocols(Protocols::one(wanted.value));
                let with = |upper: super::upper::Upper| {
                    (!upper.is_empty()).then(|| Class { upper, ..class.clone() })
                };
                Split::exact(with(yes), with(no)).negated(wanted.negated)
            }
            // Connection tracking puts fragments together before any table sees them.
            Condition::Fragment(wanted) => Split::none(class).negated(wanted.negated),
            Condition::Match(candidate) => self.split_match(candidate, class),
        }
    }

    fn destination_in(&self, class: &Class, network: &Spans) -> Split {
        let with = |dst: Spans| {
            if dst.is_empty() {
                return None;
            }
            let known = Types::of_addresses(&dst, self.family, self.host);
            // Of several addresses each has its own type; of one it may be known, and not as it must be.
            let dst_types = class.dst_types.and(known);
            (!dst_types.is_empty()).then(|| Class { dst, dst_types, ..class.clone() })
        };
        Split::exact(with(class.dst.intersection(network)), with(class.dst.without(network)))
    }

    fn split_match(&self, candidate: &Match, class: &Class) -> Split {
        match candidate {
            Match::Comment(_) | Match::Nfacct(_) => Split::all(class),
            Match::Addrtype(m) if m.limit_iface_in || m.limit_iface_out => Split::open(class),
            Match::Addrtype(m) => {
                let mut split = Split::all(class);
                if let Some(wanted) = &m.src_type {
                    let types = Types::of(wanted.value.iter());
                    split = then(split, |class| {
                        let with =
                            |t: Types| (!t.is_empty()).then(|| Class { src_types: t, ..class.clone() });
                        let (yes, no) = (class.src_types.and(types), class.src_types.and(types.not()));
                        Split::exact(with(yes), with(no)).negated(wanted.negated)
                    });
                }
                if let Some(wanted) = &m.dst_type {
                    let types = Types::of(wanted.value.iter());
                    split = then(split, |class| {
                        let with =
                            |t: Types| (!t.is_empty()).then(|| Class { dst_types: t, ..class.clone() });
                        let (yes, no) = (class.dst_types.and(types), class.dst_types.and(types.not()));
                        Split::exact(with(yes), with(no)).negated(wanted.negated)
                    });
                }
                split
            }
            Match::Conntrack(m) => {
                let others = m.ctproto.is_some()
                    || m.ctorigsrc.is_some()
                    || m.ctorigdst.is_some()
                    || m.ctreplsrc.is_some()
                    || m.ctrepldst.is_some()
                    || m.ctorigsrcport.is_some()
                    || m.ctorigdstport.is_some()
                    || m.ctreplsrcport.is_some()
                    || m.ctrepldstport.is_some()
                    || m.ctstatus.is_some()
                    || m.ctexpire.is_some()
                    || m.ctdir.is_some();
                let states = m.ctstate.map_or_else(
                    || Split::all(class),
                    |wanted| self.states(class, wanted.value).negated(wanted.negated),
                );
                if others { then(states, Split::open) } else { states }
            }
            Match::State(m) => m.states.map_or_else(
                || Split::all(class),
                |wanted| self.states(class, wanted.value).negated(wanted.negated),
            ),
            Match::Iprange(m) => {
                let mut split = Split::all(class);
                if let Some(wanted) = &m.source {
                    let span = range(&wanted.value.0);
                    split = then(split, |class| source_in(class, &span).negated(wanted.negated));
                }
                if let Some(wanted) = &m.destination {
                    let span = range(&wanted.value.0);
                    split = then(split, |class| self.destination_in(class, &span).negated(wanted.negated));
                }
                split
            }
            Match::Mark(m) => m.mark.map_or_else(
                || Split::all(class),
                |wanted| {
                    let (yes, no) = class.mark.split(wanted.value.value, wanted.value.mask);
                    let with = |b: Option<Bits>| b.map(|mark| Class { mark, ..class.clone() });
                    Split::exact(with(yes), with(no)).negated(wanted.negated)
                },
            ),
            Match::Multiport(m) => match &m.ports {
                Some(MultiportPorts::Destination(list)) => {
                    dport_in(class, &ports(&list.value.0)).negated(list.negated)
                }
                Some(MultiportPorts::Source(list)) => {
                    sport_in(class, &ports(&list.value.0)).negated(list.negated)
                }
                Some(MultiportPorts::Either(_)) => Split::open(class),
                None => Split::all(class),
            },
            // A list that the rule itself writes takes every address.
            Match::Recent(m) => match m.action {
                Some(Negatable { negated, value: RecentAction::Set }) => Split::all(class).negated(negated),
                _ => Split::open(class),
            },
            Match::Sctp(m) if m.chunks.is_none() => two_ports(class, m.sport, m.dport),
            Match::Set(m) => match &m.match_set {
                Some(wanted) if wanted.value.dimensions.0.as_slice() == [SetDirection::Dst] => {
                    let set = self.host.set(&wanted.value.name);
                    let dst = class.dst.only().map(|number| class::address(number, self.family));
                    match set.zip(dst).and_then(|(set, dst)| set.lookup(dst)) {
                        Some(true) => Split::all(class).negated(wanted.negated),
                        Some(false) => Split::none(class).negated(wanted.negated),
                        None => Split::open(class),
                    }
                }
                _ => Split::open(class),
            },
            Match::Statistic(m) => match (m.mode, m.probability) {
                (Some(StatisticMode::Random), Some(wanted)) => {
                    let always = hookwalk_parser::extensions::StatisticProbability::DENOMINATOR;
                    match wanted.value.numerator() {
                        0 => Split::none(class).negated(wanted.negated),
                        all if all == always => Split::all(class).negated(wanted.negated),
                        _ => Split::open(class),
                    }
                }
                (Some(StatisticMode::Nth), _) if m.every.is_some_and(|e| e.value == 1) => {
                    Split::all(class).negated(m.every.is_some_and(|e| e.negated))
                }
                _ => Split::open(class),
            },
            Match::Tcp(m) => {
                let split = two_ports(class, m.sport, m.dport);
                if m.flags.is_some() || m.tcp_option.is_some() { then(split, Split::open) } else { split }
            }
            Match::Udp(m) => two_ports(class, m.sport, m.dport),
            Match::Udplite(m) => two_ports(class, m.sport, m.dport),
            Match::Unknown(part) if part.module.as_ref().is_some_and(|module| *module == "comment") => {
                Split::all(class)
            }
            _ => Split::open(class),
        }
    }

    fn states(&self, class: &Class, wanted: ConnStates) -> Split {
        if !self.tracked {
            return Split::open(class);
        }
        let plain = [
            ConnState::Invalid,
            ConnState::New,
            ConnState::Related,
            ConnState::Established,
            ConnState::Untracked,
        ];
        let mut states = States::of(plain.into_iter().filter(|state| wanted.contains(*state)));
        if wanted.contains(ConnState::Dnat) && class.dnat {
            states = states.or(States::NEW).or(States::LATER);
        }
        if wanted.contains(ConnState::Snat) {
            return Split::open(class);
        }
        let with = |s: States| (!s.is_empty()).then(|| Class { states: s, ..class.clone() });
        Split::exact(with(class.states.and(states)), with(class.states.and(states.not())))
    }
}

impl States {
    fn of(states: impl Iterator<Item = ConnState>) -> States {
        states.fold(States::NEW.and(States::UNTRACKED), |all, state| all.or(States::one(state)))
    }
}

/// Both conditions must hold.
fn then(first: Split, second: impl FnOnce(&Class) -> Split) -> Split {
    let Some(yes) = &first.yes else { return first };
    let next = second(yes);
    let no = match (first.no, next.no) {
        (Some(a), Some(b)) => match class::joined(vec![a, b]).as_slice() {
            [one] => Some(one.clone()),
            // Two parts that are not one class: the whole class stands for both.
            _ => return Split { yes: next.yes, no: first.yes, open: true },
        },
        (a, b) => a.or(b),
    };
    Split { yes: next.yes, no, open: first.open || next.open }
}

fn source_in(class: &Class, network: &Spans) -> Split {
    let with = |src: Spans| (!src.is_empty()).then(|| Class { src, ..class.clone() });
    Split::exact(with(class.src.intersection(network)), with(class.src.without(network)))
}

fn dport_in(class: &Class, wanted: &Spans) -> Split {
    let (yes, no) = class.upper.split_ports(wanted);
    let with = |upper: super::upper::Upper| (!upper.is_empty()).then(|| Class { upper, ..class.clone() });
    Split::exact(with(yes), with(no))
}

fn sport_in(class: &Class, wanted: &Spans) -> Split {
    let with = |sport: Spans| (!sport.is_empty()).then(|| Class { sport, ..class.clone() });
    Split::exact(with(class.sport.intersection(wanted)), with(class.sport.without(wanted)))
}

fn two_ports(
    class: &Class,
    sport: Option<Negatable<PortRange>>,
    dport: Option<Negatable<PortRange>>,
) -> Split {
    let mut split = Split::all(class);
    if let Some(wanted) = sport {
        split = then(split, |class| sport_in(class, &ports(&[wanted.value])).negated(wanted.negated));
    }
    if let Some(wanted) = dport {
        split = then(split, |class| dport_in(class, &ports(&[wanted.value])).negated(wanted.negated));
    }
    split
}

fn ports(ranges: &[PortRange]) -> Spans {
    Spans::new(ranges.iter().map(|range| (u128::from(range.first), u128::from(range.last))))
}

fn range(range: &hookwalk_parser::types::AddressRange) -> Spans {
    Spans::new([(class::number(range.first), class::number(range.last))])
}
