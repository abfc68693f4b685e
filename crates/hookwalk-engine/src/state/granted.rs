/// What a walk takes for granted because nobody said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Granted {
    Forwarding,
    NoRouteLocalnet,
    NoReversePath,
    TcpLoose,
    RecentEmpty,
    NthAtStart,
    LimitFull,
    HashlimitFull,
    QuotaUnspent,
    NoOtherConnections,
    RoutingRules,
    HasRoute,
    ForeignSource,
    Family,
    Defragmented,
}

/// A set of these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GrantedSet(u32);

impl GrantedSet {
    const ALL: [Granted; 15] = [
        Granted::Forwarding,
        Granted::NoRouteLocalnet,
        Granted::NoReversePath,
        Granted::TcpLoose,
        Granted::RecentEmpty,
        Granted::NthAtStart,
        Granted::LimitFull,
        Granted::HashlimitFull,
        Granted::QuotaUnspent,
        Granted::NoOtherConnections,
        Granted::RoutingRules,
        Granted::HasRoute,
        Granted::ForeignSource,
        Granted::Family,
        Granted::Defragmented,
    ];

    pub(crate) fn insert(&mut self, granted: Granted) {
        self.0 |= 1 << granted as u8;
    }

    pub(crate) fn add(&mut self, more: GrantedSet) {
        self.0 |= more.0;
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Granted> {
        Self::ALL.into_iter().filter(move |granted| self.0 & (1 << *granted as u8) != 0)
    }
}

impl FromIterator<Granted> for GrantedSet {
    fn from_iter<I: IntoIterator<Item = Granted>>(all: I) -> Self {
        let mut set = GrantedSet::default();
        for granted in all {
            set.insert(granted);
        }
        set
    }
}

impl Granted {
    /// What is taken for granted of a packet from this source, in words.
    pub(crate) fn text(self, src: std::net::IpAddr, in_session: bool) -> String {
        let text = match self {
            Granted::Forwarding if src.is_ipv6() => "sysctl net.ipv6.conf.all.forwarding = 1",
            Granted::Forwarding => "sysctl net.ipv4.ip_forward = 1",
            Granted::NoRouteLocalnet => "sysctl net.ipv4.conf.all.route_localnet = 0",
            Granted::NoReversePath => "sysctl net.ipv4.conf.all.rp_filter = 0",
            Granted::TcpLoose => "sysctl net.netfilter.nf_conntrack_tcp_loose = 1",
            Granted::RecentEmpty => "recent lists empty",
            Granted::NthAtStart => "statistic mode nth at its start",
            Granted::LimitFull => "limit buckets full",
            Granted::HashlimitFull => "hashlimit buckets full",
            Granted::QuotaUnspent => "quotas unspent",
            Granted::NoOtherConnections => "no other connections",
            Granted::RoutingRules => "routing rules local, main, default",
            Granted::HasRoute => "every destination has a route",
            Granted::Family => "rules that tell no family are of the packet's",
            Granted::Defragmented => "the other fragments come too: connection tracking puts them together",
            Granted::ForeignSource => return format!("source {src} is another host's"),
        };
        let at_the_start = matches!(
            self,
            Granted::RecentEmpty
                | Granted::NthAtStart
                | Granted::LimitFull
                | Granted::HashlimitFull
                | Granted::QuotaUnspent
                | Granted::NoOtherConnections
        );
        if in_session && at_the_start { format!("{text} when the session began") } else { text.to_owned() }
    }
}
