//! Matches and targets, one file each: what its options are and how they print.
//!
//! To add one, write its file (a struct that implements `Extension`, or the macro `extension!`) and name it in
//! the table below; nothing else in this crate knows the extensions one by one.

use crate::syntax::{ArgumentError, Arguments, OptionText, OptionWriter};
use crate::types::{Family, Text};

/// What a match or target does in this crate: take its options and print them.
pub(crate) trait Extension {
    /// Takes an option when it is one of this extension's; `Ok(false)` leaves it to others.
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError>;

    /// The options in the order and form that iptables-save 1.8.9 prints.
    fn write(&self, out: &mut OptionWriter);

    /// What is missing once all options are read, such as `--to-destination` of DNAT.
    fn missing(&self) -> Option<&'static str> {
        None
    }

    /// The family that an address or name in its options belongs to.
    fn family(&self) -> Option<Family> {
        None
    }
}

impl<T: Extension> Extension for Box<T> {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        (**self).read(option)
    }

    fn write(&self, out: &mut OptionWriter) {
        (**self).write(out);
    }

    fn missing(&self) -> Option<&'static str> {
        (**self).missing()
    }

    fn family(&self) -> Option<Family> {
        (**self).family()
    }
}

/// Writes the enum of all extensions of one kind and the dispatch over it.
macro_rules! extension_table {
    (
        $(#[$doc:meta])*
        $kind:ident {
            $( $(#[$variant_doc:meta])* $name:literal $(| $alias:literal)* => $variant:ident($payload:ty), )*
        }
        also { $( $(#[$also_doc:meta])* $also:ident $(($also_payload:ty))?, )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $kind {
            $( $(#[$variant_doc])* $variant($payload), )*
            $( $(#[$also_doc])* $also $(($also_payload))?, )*
        }

        impl $kind {
            /// The extension of this name, without options yet.
            #[expect(non_upper_case_globals, reason = "one for each variant, to match bytes with")]
            pub(crate) fn open(name: &[u8]) -> Option<Self> {
                $( const $variant: &[u8] = $name.as_bytes(); )*
                match name {
                    $( $variant => Some($kind::$variant(Default::default())), )*
                    $( $( name if name == $alias.as_bytes() => Some($kind::$variant(Default::default())), )* )*
                    _ => None,
                }
            }

            fn extension(&self) -> Option<(&'static str, &dyn Extension)> {
                match self {
                    $( $kind::$variant(extension) => Some(($name, extension)), )*
                    _ => None,
                }
            }

            /// Offers an option to the extension; `Ok(false)` when it is not one of its own.
            pub(crate) fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
                match self {
                    $( $kind::$variant(extension) => extension.read(option), )*
                    _ => Ok(false),
                }
            }

            /// What its options still lack.
            pub(crate) fn missing(&self) -> Option<&'static str> {
                self.extension().and_then(|(_, extension)| extension.missing())
            }

            /// The family that its options belong to, where they tell.
            pub(crate) fn family(&self) -> Option<Family> {
                self.extension().and_then(|(_, extension)| extension.family())
            }

            /// Its options as iptables-save 1.8.9 prints them, but for defaults that depend on the
            /// family.
            pub fn options(&self) -> Vec<OptionText> {
                self.options_in(None)
            }

            /// Its options as iptables-save 1.8.9 prints them.
            pub fn options_in(&self, family: Option<Family>) -> Vec<OptionText> {
                self.options_of(family, false)
            }

            /// Its options as iptables-save 1.8.9 of the backend prints them.
            pub(crate) fn options_of(&self, family: Option<Family>, is_nft: bool) -> Vec<OptionText> {
                let mut out = OptionWriter::of(family, is_nft);
                if let Some((_, extension)) = self.extension() {
                    extension.write(&mut out);
                }
                out.into_options()
            }

            /// The names of all extensions in the table.
            pub const NAMES: &'static [&'static str] = &[$($name),*];
        }
    };
}

#[macro_use]
mod declare;

macro_rules! modules {
    ($($module:ident),* $(,)?) => {
        $( mod $module; pub use $module::*; )*
    };
}

modules!(
    addrtype,
    ah,
    bpf,
    cgroup,
    cluster,
    comment,
    connbytes,
    connlabel,
    connlimit,
    connmark,
    conntrack,
    cpu,
    dccp,
    devgroup,
    dscp,
    dst,
    ecn,
    esp,
    eui64,
    frag,
    hashlimit,
    hbh,
    helper,
    hl,
    icmp,
    icmp6,
    ipcomp,
    iprange,
    ipv6header,
    ipvs,
    length,
    limit,
    mac,
    mark,
    mh,
    multiport,
    nfacct,
    osf,
    owner,
    physdev,
    pkttype,
    policy,
    quota,
    rateest,
    realm,
    recent,
    rpfilter,
    rt,
    sctp,
    sctp_chunks,
    set,
    socket,
    srh,
    state,
    statistic,
    string,
    tcp,
    tcpmss,
    time,
    tos,
    ttl,
    u32,
    udp,
    udplite,
);
modules!(
    audit,
    checksum,
    classify,
    clusterip,
    connsecmark,
    ct,
    dnat,
    dnpt,
    hmark,
    idletimer,
    led,
    log,
    masquerade,
    netmap,
    nflog,
    nfqueue,
    notrack,
    redirect,
    reject,
    secmark,
    set_connmark,
    set_dscp,
    set_ecn,
    set_hl,
    set_mark,
    set_rateest,
    set_set,
    set_tcpmss,
    set_tos,
    set_ttl,
    snat,
    snpt,
    synproxy,
    tcpoptstrip,
    tee,
    tproxy,
    trace,
    ulog,
);

extension_table! {
    /// A match of a rule, `-m NAME` and its options.
    Match {
        /// `-m addrtype`
        "addrtype" => Addrtype(AddrtypeMatch),
        /// `-m ah`
        "ah" => Ah(AhMatch),
        /// `-m bpf`
        "bpf" => Bpf(Box<BpfMatch>),
        /// `-m cgroup`
        "cgroup" => Cgroup(Box<CgroupMatch>),
        /// `-m cluster`
        "cluster" => Cluster(ClusterMatch),
        /// `-m comment`
        "comment" => Comment(CommentMatch),
        /// `-m connbytes`
        "connbytes" => Connbytes(Box<ConnbytesMatch>),
        /// `-m connlabel`
        "connlabel" => Connlabel(Box<ConnlabelMatch>),
        /// `-m connlimit`
        "connlimit" => Connlimit(ConnlimitMatch),
        /// `-m connmark`
        "connmark" => Connmark(ConnmarkMatch),
        /// `-m conntrack`
        "conntrack" => Conntrack(Box<ConntrackMatch>),
        /// `-m cpu`
        "cpu" => Cpu(CpuMatch),
        /// `-m dccp`
        "dccp" => Dccp(DccpMatch),
        /// `-m devgroup`
        "devgroup" => Devgroup(Box<DevgroupMatch>),
        /// `-m dscp`
        "dscp" => Dscp(DscpMatch),
        /// `-m dst`
        "dst" => Dst(DstMatch),
        /// `-m ecn`
        "ecn" => Ecn(EcnMatch),
        /// `-m esp`
        "esp" => Esp(EspMatch),
        /// `-m eui64`
        "eui64" => Eui64(Eui64Match),
        /// `-m frag`
        "frag" => Frag(Box<FragMatch>),
        /// `-m hashlimit`
        "hashlimit" => Hashlimit(Box<HashlimitMatch>),
        /// `-m hbh`
        "hbh" => Hbh(HbhMatch),
        /// `-m helper`
        "helper" => Helper(Box<HelperMatch>),
        /// `-m hl`
        "hl" => Hl(HlMatch),
        /// `-m icmp`
        "icmp" => Icmp(IcmpMatch),
        /// `-m icmp6`
        "icmp6" | "icmpv6" | "ipv6-icmp" => Icmp6(Icmp6Match),
        /// `-m ipcomp`
        "ipcomp" => Ipcomp(IpcompMatch),
        /// `-m iprange`
        "iprange" => Iprange(Box<IprangeMatch>),
        /// `-m ipv6header`
        "ipv6header" => Ipv6header(Ipv6headerMatch),
        /// `-m ipvs`
        "ipvs" => Ipvs(Box<IpvsMatch>),
        /// `-m length`
        "length" => Length(LengthMatch),
        /// `-m limit`
        "limit" => Limit(LimitMatch),
        /// `-m mac`
        "mac" => Mac(MacMatch),
        /// `-m mark`
        "mark" => Mark(MarkMatch),
        /// `-m mh`
        "mh" => Mh(MhMatch),
        /// `-m multiport`
        "multiport" => Multiport(Box<MultiportMatch>),
        /// `-m nfacct`
        "nfacct" => Nfacct(NfacctMatch),
        /// `-m osf`
        "osf" => Osf(Box<OsfMatch>),
        /// `-m owner`
        "owner" => Owner(OwnerMatch),
        /// `-m physdev`
        "physdev" => Physdev(Box<PhysdevMatch>),
        /// `-m pkttype`
        "pkttype" => Pkttype(PkttypeMatch),
        /// `-m policy`
        "policy" => Policy(Box<PolicyMatch>),
        /// `-m quota`
        "quota" => Quota(QuotaMatch),
        /// `-m rateest`
        "rateest" => Rateest(Box<RateestMatch>),
        /// `-m realm`
        "realm" => Realm(Box<RealmMatch>),
        /// `-m recent`
        "recent" => Recent(Box<RecentMatch>),
        /// `-m rpfilter`
        "rpfilter" => Rpfilter(RpfilterMatch),
        /// `-m rt`
        "rt" => Rt(Box<RtMatch>),
        /// `-m sctp`
        "sctp" => Sctp(SctpMatch),
        /// `-m set`
        "set" => Set(Box<SetMatch>),
        /// `-m socket`
        "socket" => Socket(SocketMatch),
        /// `-m srh`
        "srh" => Srh(Box<SrhMatch>),
        /// `-m state`
        "state" => State(StateMatch),
        /// `-m statistic`
        "statistic" => Statistic(StatisticMatch),
        /// `-m string`
        "string" => String(Box<StringMatch>),
        /// `-m tcp`
        "tcp" => Tcp(TcpMatch),
        /// `-m tcpmss`
        "tcpmss" => Tcpmss(TcpmssMatch),
        /// `-m time`
        "time" => Time(Box<TimeMatch>),
        /// `-m tos`
        "tos" => Tos(TosMatch),
        /// `-m ttl`
        "ttl" => Ttl(TtlMatch),
        /// `-m u32`
        "u32" => U32(Box<U32Match>),
        /// `-m udp`
        "udp" => Udp(UdpMatch),
        /// `-m udplite`
        "udplite" => Udplite(UdpliteMatch),
    }
    also {
        /// A part of the rule that was not understood, kept word for word.
        Unknown(Box<UnknownPart>),
    }
}

extension_table! {
    /// What a rule does with a packet that it matches.
    Target {
        /// `-j AUDIT`
        "AUDIT" => Audit(AuditTarget),
        /// `-j CHECKSUM`
        "CHECKSUM" => Checksum(ChecksumTarget),
        /// `-j CLASSIFY`
        "CLASSIFY" => Classify(ClassifyTarget),
        /// `-j CLUSTERIP`
        "CLUSTERIP" => Clusterip(Box<ClusteripTarget>),
        /// `-j CONNMARK`
        "CONNMARK" => Connmark(ConnmarkTarget),
        /// `-j CONNSECMARK`
        "CONNSECMARK" => Connsecmark(ConnsecmarkTarget),
        /// `-j CT`
        "CT" => Ct(Box<CtTarget>),
        /// `-j DNAT`
        "DNAT" => Dnat(Box<DnatTarget>),
        /// `-j DNPT`
        "DNPT" => Dnpt(Box<DnptTarget>),
        /// `-j DSCP`
        "DSCP" => Dscp(DscpTarget),
        /// `-j ECN`
        "ECN" => Ecn(EcnTarget),
        /// `-j HL`
        "HL" => Hl(HlTarget),
        /// `-j HMARK`
        "HMARK" => Hmark(Box<HmarkTarget>),
        /// `-j IDLETIMER`
        "IDLETIMER" => Idletimer(Box<IdletimerTarget>),
        /// `-j LED`
        "LED" => Led(Box<LedTarget>),
        /// `-j LOG`
        "LOG" => Log(Box<LogTarget>),
        /// `-j MARK`
        "MARK" => Mark(MarkTarget),
        /// `-j MASQUERADE`
        "MASQUERADE" => Masquerade(MasqueradeTarget),
        /// `-j NETMAP`
        "NETMAP" => Netmap(Box<NetmapTarget>),
        /// `-j NFLOG`
        "NFLOG" => Nflog(Box<NflogTarget>),
        /// `-j NFQUEUE`
        "NFQUEUE" => Nfqueue(NfqueueTarget),
        /// `-j NOTRACK`
        "NOTRACK" => Notrack(NotrackTarget),
        /// `-j RATEEST`
        "RATEEST" => Rateest(Box<RateestTarget>),
        /// `-j REDIRECT`
        "REDIRECT" => Redirect(RedirectTarget),
        /// `-j REJECT`
        "REJECT" => Reject(RejectTarget),
        /// `-j SECMARK`
        "SECMARK" => Secmark(SecmarkTarget),
        /// `-j SET`
        "SET" => Set(Box<SetTarget>),
        /// `-j SNAT`
        "SNAT" => Snat(Box<SnatTarget>),
        /// `-j SNPT`
        "SNPT" => Snpt(Box<SnptTarget>),
        /// `-j SYNPROXY`
        "SYNPROXY" => Synproxy(SynproxyTarget),
        /// `-j TCPMSS`
        "TCPMSS" => Tcpmss(TcpmssTarget),
        /// `-j TCPOPTSTRIP`
        "TCPOPTSTRIP" => Tcpoptstrip(TcpoptstripTarget),
        /// `-j TEE`
        "TEE" => Tee(Box<TeeTarget>),
        /// `-j TOS`
        "TOS" => Tos(TosTarget),
        /// `-j TPROXY`
        "TPROXY" => Tproxy(Box<TproxyTarget>),
        /// `-j TRACE`
        "TRACE" => Trace(TraceTarget),
        /// `-j TTL`
        "TTL" => Ttl(TtlTarget),
        /// `-j ULOG`
        "ULOG" => Ulog(Box<UlogTarget>),
    }
    also {
        /// No `-j` and no `-g`: the rule counts and the packet goes on.
        None,
        /// `-j ACCEPT`
        Accept,
        /// `-j DROP`
        Drop,
        /// `-j RETURN`
        Return,
        /// `-j QUEUE`
        Queue,
        /// `-j CHAIN`: walks the chain and comes back behind this rule.
        Jump(Text),
        /// `-g CHAIN`: walks the chain and comes back where this rule's chain would.
        Goto(Text),
        /// A target that was not understood, kept word for word.
        Unknown(Box<UnknownPart>),
    }
}

impl Match {
    /// The name behind `-m`.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        match (self.extension(), self) {
            (Some((name, _)), _) => name.into(),
            (None, Match::Unknown(part)) => part.module.as_ref().map_or("".into(), Text::to_str),
            (None, _) => "".into(),
        }
    }
}

impl Target {
    /// The target of this name, when it is no chain's.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"ACCEPT" => Some(Target::Accept),
            b"DROP" => Some(Target::Drop),
            b"RETURN" => Some(Target::Return),
            b"QUEUE" => Some(Target::Queue),
            _ => Target::open(name),
        }
    }

    /// The name behind `-j` or `-g`; empty when there is none.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Target::None => "".into(),
            Target::Accept => "ACCEPT".into(),
            Target::Drop => "DROP".into(),
            Target::Return => "RETURN".into(),
            Target::Queue => "QUEUE".into(),
            Target::Jump(chain) | Target::Goto(chain) => chain.to_str(),
            Target::Unknown(part) => part.module.as_ref().map_or("".into(), Text::to_str),
            _ => self.extension().map_or("".into(), |(name, _)| name.into()),
        }
    }
}

/// A part of a rule that was not understood.
///
/// An evaluator must answer "unknown" where it decides, never "matches" and never "does not".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPart {
    /// The match or target whose options these are, where that is known.
    pub module: Option<Text>,
    /// The words as they stand in the dump.
    pub text: Text,
    /// Where they stand: bytes from the start of the dump.
    pub span: crate::Span,
}
