//! What a walk makes of each extension: what decides it, and why it stays open where it does.

/// What decides an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// The packet itself.
    Packet,
    /// What is told of the node beside the dump.
    Context,
    /// Nothing that can be told: it is answered "unknown", or in cases.
    Open,
}

/// What a walk makes of a match or target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// Its name, as `-m` or `-j` has it.
    pub name: &'static str,
    /// What decides it.
    pub tier: Tier,
    /// The fields and files that decide it; empty where nothing has to be known.
    pub by: &'static str,
    /// Why it stays unknown, or parts of it, where packet and context are told; empty where it never does.
    pub open: &'static str,
}

impl Support {
    /// What a walk makes of a match; none of a name that is not one.
    ///
    /// ```
    /// use hookwalk_engine::{Support, Tier};
    /// assert_eq!(Support::of_match("set").unwrap().tier, Tier::Context);
    /// assert!(!Support::of_match("u32").unwrap().open.is_empty());
    /// ```
    pub fn of_match(name: &str) -> Option<&'static Support> {
        MATCHES.iter().find(|support| support.name == name)
    }

    /// What a walk makes of a target; none of a name that is not one.
    pub fn of_target(name: &str) -> Option<&'static Support> {
        TARGETS.iter().find(|support| support.name == name)
    }
}

const fn packet(name: &'static str, by: &'static str) -> Support {
    Support { name, tier: Tier::Packet, by, open: "" }
}

const fn context(name: &'static str, by: &'static str) -> Support {
    Support { name, tier: Tier::Context, by, open: "" }
}

const fn open(name: &'static str, open: &'static str) -> Support {
    Support { name, tier: Tier::Open, by: "", open }
}

impl Support {
    /// The same, where a part of it stays open.
    const fn but(self, open: &'static str) -> Self {
        Support { open, ..self }
    }
}

const BYTES: &str = "it looks at bytes of the packet, of which only the fields are told";
const SPI: &str = "the index of the header is no field of a packet";
const HEADERS: &str = "a packet is taken to have no such header";

/// Every match that is read, by name.
pub const MATCHES: &[Support] = &[
    context("addrtype", "`--addr`, `--route` or `--node-ip`"),
    packet("ah", "`proto`").but(SPI),
    open("bpf", BYTES),
    open("cgroup", "nothing tells the control group of the sending process"),
    packet("cluster", "`src` of the connection's first packet"),
    packet("comment", ""),
    context("connbytes", "`--conntrack` with counters")
        .but("nothing counts what a connection of the walk has had before"),
    context("connlabel", "`--conntrack` with labels")
        .but("labels are told by number there, in rules often by name"),
    context("connlimit", "a session, `--conntrack`")
        .but("a rule counts what it has met itself, which no list of connections tells"),
    context("connmark", "`connmark`, `--conntrack`")
        .but("a mark that table raw sets behind `CT`, which stays there for the next packet"),
    context("conntrack", "`state`, the walk so far, `--conntrack`").but(
        "`--ctexpire`, `--ctstatus` EXPECTED of an entry, and ASSURED of UDP, SCTP and DCCP behind an answer",
    ),
    open("cpu", "which processor takes the packet is chance"),
    packet("dccp", "`sport`, `dport`").but("types and options are no fields of a packet"),
    open("devgroup", "nothing tells the groups of interfaces"),
    packet("dscp", "`tos`"),
    packet("dst", HEADERS).but("a packet can have a destination header that nobody tells"),
    packet("ecn", "`tos`, `flags`").but("the flags ECE and CWR, where `flags` leaves them out"),
    packet("esp", "`proto`").but(SPI),
    context("eui64", "`mac`").but("a packet without `mac`"),
    packet("frag", "`frag_off`, `mf`").but("the id of the fragment is no field of a packet"),
    context("hashlimit", "a session, `at`")
        .but("`--hashlimit-rate-match`, and byte buckets once they are used"),
    packet("hbh", HEADERS).but("a packet can have a hop-by-hop header that nobody tells"),
    context("helper", "`--conntrack`").but("nothing tells the helper of a known connection in rules' words"),
    packet("hl", "`ttl`"),
    packet("icmp", "`icmp_type`, `icmp_code`"),
    packet("icmp6", "`icmp_type`, `icmp_code`"),
    packet("ipcomp", "`proto`").but(SPI),
    packet("iprange", "`src`, `dst`"),
    packet("ipv6header", "`proto`, `frag_off`, `mf`")
        .but("a packet can have extension headers that nobody tells"),
    open("ipvs", "nothing tells the connections of IPVS"),
    packet("length", "`length`"),
    context("limit", "a session, `at`"),
    context("mac", "`mac`").but("a packet without `mac`"),
    packet("mark", "`mark`, the walk so far"),
    packet("mh", "`proto`").but("the type of the header is no field of a packet"),
    packet("multiport", "`sport`, `dport`"),
    context("nfacct", "").but("an object with a quota, which is taken to have none"),
    open("osf", "it compares options of a SYN with a data base of fingerprints"),
    context("owner", "`uid`, `gid`")
        .but("packets that are sent here without an owner told, and `--socket-exists` of an answer"),
    context("physdev", "`physdev_in`, `physdev_out`")
        .but("a packet that comes in without its bridge ports told"),
    context("pkttype", "`--addr`, `--route`")
        .but("what the link layer calls the packet is told of nothing but its destination"),
    open("policy", "nothing tells what IPsec does with the packet"),
    context("quota", "a session, `length`"),
    open("rateest", "nothing tells the estimates of rates"),
    open("realm", "nothing tells the realms of routes"),
    context("recent", "a session, `at`"),
    context("rpfilter", "`--route`, `--rule`, `--addr`, `--sysctl`"),
    packet("rt", HEADERS).but("a packet can have a routing header that nobody tells"),
    packet("sctp", "`sport`, `dport`").but("chunks are no fields of a packet"),
    context("set", "`--ipset`")
        .but("sets that rules fill, `--return-nomatch`, comparisons of packets and bytes"),
    open("socket", "nothing tells the sockets of the node"),
    packet("srh", HEADERS).but("a packet can have a segment routing header that nobody tells"),
    context("state", "`state`, the walk so far, `--conntrack`"),
    packet("statistic", "chance: exact shares (random), a session (nth)"),
    open("string", BYTES),
    packet("tcp", "`sport`, `dport`, `flags`").but("`--tcp-option`: options are no fields of a packet"),
    packet("tcpmss", "`proto`").but("the MSS of a SYN is no field of a packet"),
    context("time", "`at`").but("a packet without `at`, and `--kerneltz`"),
    packet("tos", "`tos`"),
    packet("ttl", "`ttl`"),
    open("u32", BYTES),
    packet("udp", "`sport`, `dport`"),
    packet("udplite", "`sport`, `dport`"),
];

const NO_EFFECT: &str = "nothing: it changes nothing that rules and routing look at";

/// Every target that is read, by name; verdicts and jumps aside.
pub const TARGETS: &[Support] = &[
    packet("AUDIT", NO_EFFECT),
    packet("CHECKSUM", NO_EFFECT),
    packet("CLASSIFY", NO_EFFECT),
    open("CLUSTERIP", "it is gone from kernels since 6.3"),
    packet("CONNMARK", "the walk so far"),
    packet("CONNSECMARK", NO_EFFECT),
    packet("CT", ""),
    packet("DNAT", "the hash of the addresses, of a range").but("a range of more than 1024 addresses"),
    packet("DNPT", "").but("what the kernel makes of prefixes that are no networks of 64 bits"),
    packet("DSCP", ""),
    packet("ECN", NO_EFFECT),
    packet("HL", ""),
    open("HMARK", "the kernel seeds its hash at its start"),
    packet("IDLETIMER", NO_EFFECT),
    packet("LED", NO_EFFECT),
    packet("LOG", NO_EFFECT),
    packet("MARK", ""),
    context("MASQUERADE", "`--addr` and `--route`, or one `--node-ip`"),
    packet("NETMAP", ""),
    packet("NFLOG", NO_EFFECT),
    packet("NFQUEUE", "").but("`--queue-bypass`: nothing tells whether a program listens"),
    packet("NOTRACK", ""),
    packet("RATEEST", NO_EFFECT),
    context("REDIRECT", "`--addr`, in PREROUTING"),
    context("REJECT", "`--route`, `--rule`, `--addr`: whether an answer has a way back"),
    packet("SECMARK", NO_EFFECT),
    packet("SET", "").but("what a set holds that rules fill is asked from then on"),
    packet("SNAT", "the hash of the addresses, of a range").but("a range of more than 1024 addresses"),
    packet("SNPT", "").but("what the kernel makes of prefixes that are no networks of 64 bits"),
    context("SYNPROXY", "`flags`, `--route`"),
    packet("TCPMSS", NO_EFFECT),
    packet("TCPOPTSTRIP", NO_EFFECT),
    packet("TEE", NO_EFFECT),
    packet("TOS", ""),
    open("TPROXY", "nothing tells whether a transparent socket listens"),
    packet("TRACE", NO_EFFECT),
    packet("TTL", ""),
    packet("ULOG", NO_EFFECT),
];

#[cfg(test)]
mod tests {
    use super::*;
    use hookwalk_parser::extensions::{Match, Target};

    #[test]
    fn every_extension_that_is_read_is_told_of() {
        let sorted = |names: &[&'static str]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        let of = |all: &[Support]| all.iter().map(|support| support.name).collect::<Vec<_>>();
        assert_eq!(of(MATCHES), sorted(Match::NAMES));
        assert_eq!(of(TARGETS), sorted(Target::NAMES));
        let reasons = MATCHES.iter().chain(TARGETS).filter(|support| support.tier == Tier::Open);
        assert!(reasons.into_iter().all(|support| !support.open.is_empty()));
    }
}
