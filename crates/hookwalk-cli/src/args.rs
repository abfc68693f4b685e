use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hookwalk::types::MaskedAddress;

/// Where does this packet go? Answered from a saved iptables dump.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a dump as it was read, byte for byte
    Fmt(FmtArguments),
    /// Print what was read of a dump
    Parse(ParseArguments),
    /// Walk a packet through the rules
    Trace(Box<TraceArguments>),
    /// Show the Kubernetes Services that the rules serve
    Services(Box<ServicesArguments>),
    /// Check the rules against the objects of the Kubernetes API
    Verify(Box<VerifyArguments>),
    /// Can a Pod reach its name servers
    Dns(Box<DnsArguments>),
    /// What is wrong with the rules of a node, or of several
    Lint(LintArguments),
    /// Compare the Services of two dumps
    Diff(Box<DiffArguments>),
    /// Every rule that packets to an address, port, Service or Pod can meet, explained
    Find(Box<FindArguments>),
    /// Hold rules that another program wrote against what they were written for
    Check(CheckArguments),
}

#[derive(Debug, Args)]
pub(crate) struct FmtArguments {
    /// Print from the typed fields, as iptables-save would
    #[arg(long)]
    pub(crate) canonical: bool,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// The dump; - for standard input
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ParseArguments {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// The dump; - for standard input
    pub(crate) file: PathBuf,
}

/// What the text of a dump leaves open.
#[derive(Debug, Args)]
#[command(next_help_heading = "About the dump")]
pub(crate) struct Reading {
    /// The table of lines without a table header
    #[arg(long, value_name = "T", value_parser = ["raw", "mangle", "nat", "filter", "security"])]
    pub(crate) table: Option<String>,
    /// The family, where the text does not tell
    #[arg(long, value_name = "4|6")]
    pub(crate) family: Option<FamilyArgument>,
    /// The backend, where the text does not tell
    #[arg(long, value_name = "legacy|nft")]
    pub(crate) backend: Option<BackendArgument>,
    /// End with 3 on any error in the input
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FamilyArgument {
    #[value(name = "4")]
    V4,
    #[value(name = "6")]
    V6,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BackendArgument {
    Legacy,
    Nft,
}

/// The dumps of one node, and what else is known of it.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    #[command(flatten)]
    pub(crate) context: ContextArguments,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// The dumps of one node; - for standard input
    #[arg(required = true)]
    pub(crate) dumps: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArguments {
    #[command(flatten)]
    pub(crate) packet: PacketArguments,
    /// Walk one packet a line: JSON in, JSON out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["src", "dst", "in_iface"])]
    pub(crate) packets: Option<PathBuf>,
    /// Walk the packets of --packets one after the other on one host, chance drawn with --seed
    #[arg(long, requires = "packets")]
    pub(crate) session: bool,
    /// Print one JSON line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print every step of every outcome
    #[arg(long)]
    pub(crate) steps: bool,
    #[command(flatten)]
    pub(crate) input: NodeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ServicesArguments {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Show those alone whose name, chain or address holds this text (may be given more than once)
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,
    /// Output of `kubectl get services,endpointslices,nodes -A -o json`: names where comments are missing
    #[arg(long, value_name = "FILE")]
    pub(crate) objects: Vec<PathBuf>,
    /// The node that the dump is from
    #[arg(long, value_name = "NAME", requires = "objects")]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) input: NodeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct FindArguments {
    /// 10.96.0.10, 10.96.0.10:53/udp, :30080/tcp, namespace/name or namespace/name:port
    pub(crate) what: String,
    /// Print one JSON line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print also all rules that depend on what is not known
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) input: NodeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Output of `kubectl get services,endpointslices,nodes -A -o json`
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) objects: Vec<PathBuf>,
    /// The node that the dump is from: its endpoints are the local ones
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// kube-proxy's --cluster-cidr, in place of what the rules show
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = cidr)]
    pub(crate) cluster_cidr: Vec<MaskedAddress>,
    /// kube-proxy's --masquerade-all, in place of what the rules show
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) masquerade_all: Option<bool>,
    /// kube-proxy's --nodeport-addresses, in place of what the rules show
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = cidr)]
    pub(crate) nodeport_addresses: Vec<MaskedAddress>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) input: NodeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The dumps are of different nodes: what each node has for itself is not compared
    #[arg(long)]
    pub(crate) nodes: bool,
    /// Output of `kubectl get services,endpointslices,nodes -A -o json`: names where comments are missing
    #[arg(long, value_name = "FILE")]
    pub(crate) objects: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// The dump that the others are compared with
    pub(crate) first: PathBuf,
    /// The dumps to compare; - for standard input
    #[arg(required = true)]
    pub(crate) others: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// Print one JSON line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// The dumps of one node, or of several; - for standard input
    #[arg(required = true)]
    pub(crate) dumps: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DnsArguments {
    /// The Pod's /etc/resolv.conf
    #[arg(long, value_name = "FILE")]
    pub(crate) resolv_conf: PathBuf,
    /// The Pod's address (once more for one of the other family)
    #[arg(long, value_name = "IP", required = true)]
    pub(crate) pod: Vec<IpAddr>,
    /// Print one JSON line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) input: NodeArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "The packet")]
pub(crate) struct PacketArguments {
    /// The interface it arrives by; without, a local process sends it
    #[arg(long = "in", value_name = "IFACE")]
    pub(crate) in_iface: Option<String>,
    /// Source address
    #[arg(long, value_name = "IP", required_unless_present = "packets")]
    pub(crate) src: Option<IpAddr>,
    /// Destination address
    #[arg(long, value_name = "IP", required_unless_present = "packets")]
    pub(crate) dst: Option<IpAddr>,
    /// tcp, udp, sctp, icmp, icmpv6 or a number
    #[arg(long, value_name = "PROTO")]
    pub(crate) proto: Option<String>,
    /// Source port
    #[arg(long, value_name = "N")]
    pub(crate) sport: Option<u16>,
    /// Destination port
    #[arg(long, value_name = "N")]
    pub(crate) dport: Option<u16>,
    /// TCP flags, SYN when not given
    #[arg(long, value_name = "SYN,ACK")]
    pub(crate) flags: Option<String>,
    /// ICMP type
    #[arg(long, value_name = "N")]
    pub(crate) icmp_type: Option<u8>,
    /// ICMP code
    #[arg(long, value_name = "N")]
    pub(crate) icmp_code: Option<u8>,
    /// The mark it comes with, decimal or 0x
    #[arg(long, value_name = "N", value_parser = number)]
    pub(crate) mark: Option<u32>,
    /// new, second, established, reply, related, invalid or untracked
    #[arg(long, value_name = "S")]
    pub(crate) state: Option<String>,
    /// Time to live, 64 when not given
    #[arg(long, value_name = "N")]
    pub(crate) ttl: Option<u8>,
    /// Type of service, decimal or 0x
    #[arg(long, value_name = "N", value_parser = byte)]
    pub(crate) tos: Option<u8>,
    /// Length in bytes
    #[arg(long, value_name = "N")]
    pub(crate) length: Option<u16>,
    /// Identifier of an ICMP request or its answer
    #[arg(long, value_name = "N")]
    pub(crate) icmp_id: Option<u16>,
    /// Fragment offset in units of 8 bytes
    #[arg(long, value_name = "N")]
    pub(crate) frag_off: Option<u16>,
    /// More fragments follow
    #[arg(long)]
    pub(crate) mf: bool,
    /// User id of the sending socket
    #[arg(long, value_name = "N")]
    pub(crate) uid: Option<u32>,
    /// Group id of the sending socket
    #[arg(long, value_name = "N")]
    pub(crate) gid: Option<u32>,
    /// Source MAC address
    #[arg(long, value_name = "MAC")]
    pub(crate) mac: Option<String>,
    /// The bridge port it came in by
    #[arg(long, value_name = "IFACE")]
    pub(crate) physdev_in: Option<String>,
    /// The bridge port it leaves by
    #[arg(long, value_name = "IFACE")]
    pub(crate) physdev_out: Option<String>,
    /// The mark of its connection, decimal or 0x
    #[arg(long, value_name = "N", value_parser = number)]
    pub(crate) connmark: Option<u32>,
    /// When it comes, in seconds of Unix time
    #[arg(long, value_name = "SECONDS")]
    pub(crate) at: Option<u64>,
    /// Draw one outcome by the exact weights
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What is known of the node (each may be given more than once)")]
pub(crate) struct ContextArguments {
    /// Output of `ip addr` or `ip -j addr`
    #[arg(long, value_name = "FILE")]
    pub(crate) addr: Vec<PathBuf>,
    /// Output of `ip route show table all`, plain or -j
    #[arg(long, value_name = "FILE")]
    pub(crate) route: Vec<PathBuf>,
    /// Output of `ip rule`, plain or -j
    #[arg(long, value_name = "FILE")]
    pub(crate) rule: Vec<PathBuf>,
    /// Output of `ipset save` or `ipset list`
    #[arg(long, value_name = "FILE")]
    pub(crate) ipset: Vec<PathBuf>,
    /// Lines of `sysctl -a`
    #[arg(long, value_name = "FILE")]
    pub(crate) sysctl: Vec<PathBuf>,
    /// Output of `conntrack -L`, or `/proc/net/nf_conntrack`
    #[arg(long, value_name = "FILE")]
    pub(crate) conntrack: Vec<PathBuf>,
    /// One of the node's own addresses; together they are all of them
    #[arg(long, value_name = "IP")]
    pub(crate) node_ip: Vec<IpAddr>,
}

fn cidr(text: &str) -> Result<MaskedAddress, String> {
    text.trim().parse().map_err(|_| "expected a CIDR such as 10.0.0.0/8".to_owned())
}

fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "expected a number from 0 to 4294967295, decimal or 0x".to_owned())
}

fn byte(text: &str) -> Result<u8, String> {
    number(text)?.try_into().map_err(|_| "expected a number from 0 to 255, decimal or 0x".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Objects as kubectl prints them, or JSON with objects, settings and invariants (docs/test-your-rules.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) invariants: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// The rules, as iptables-restore takes them or iptables-save prints them
    #[arg(default_value = "-")]
    pub(crate) rules: Vec<PathBuf>,
}
