use crate::finding::Severity;

macro_rules! checks {
    ($($check:ident $code:literal $severity:ident $words:literal)*) => {
        /// What `hookwalk lint` looks for. The codes are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $( #[doc = $words] $check, )*
        }

        impl Check {
            /// Every check.
            pub const ALL: &'static [Check] = &[$(Check::$check),*];

            /// The stable word for it.
            pub const fn code(self) -> &'static str {
                match self { $( Check::$check => $code, )* }
            }

            /// How much it matters.
            pub const fn severity(self) -> Severity {
                match self { $( Check::$check => Severity::$severity, )* }
            }

            /// What is wrong, and what to do.
            pub const fn explanation(self) -> &'static str {
                match self { $( Check::$check => $words, )* }
            }
        }
    };
}

checks! {
    ServicesJumpMissing "services-jump-missing" Error
        "A built-in chain of table nat does not lead to KUBE-SERVICES: packets of that way (PREROUTING: \
         from Pods and other hosts, OUTPUT: from this node) reach no Service. A firewall that reloads its \
         rules takes the jump away; kube-proxy puts it back on its next full sync or restart."
    ServicesJumpNotReached "services-jump-not-reached" Error
        "The jump to KUBE-SERVICES is there, and rules before it take every packet to a Service."
    DnatBeforeServices "dnat-before-services" Warning
        "A rule before the jump to KUBE-SERVICES rewrites packets to an address and port of a Service, or \
         ends table nat for them. The first that rewrites wins, so that the Service never sees them."
    PostroutingMissing "postrouting-missing" Error
        "Rules mark packets for masquerade, and nat POSTROUTING does not lead to KUBE-POSTROUTING, which \
         would masquerade them: answers go past this node and are lost."
    MarkNotMasqueraded "mark-not-masqueraded" Error
        "KUBE-MARK-MASQ sets a mark that the rules of nat POSTROUTING do not masquerade: mark and mask differ."
    MasqueradesAll "masquerades-all" Warning
        "KUBE-POSTROUTING masquerades packets that have no mark too: no Pod sees the address of its client."
    MarkNotAccepted "mark-not-accepted" Warning
        "KUBE-FORWARD accepts a mark that KUBE-MARK-MASQ does not set: where the policy of FORWARD is DROP, \
         masqueraded packets do not get through."
    DropMarkUnused "drop-mark-unused" Error
        "Rules mark packets to be dropped (KUBE-MARK-DROP), and no rule of table filter drops that mark."
    MarkNeverMatches "mark-never-matches" Warning
        "`--mark VALUE/MASK` with bits in the value that the mask leaves out holds for no packet (with `!` \
         for every one)."
    UnequalShares "unequal-shares" Warning
        "The endpoints of a Service get shares that differ by more than a hundredth, far beyond the \
         kernel's rounding to 1/2^31."
    DuplicateEndpoint "duplicate-endpoint" Warning
        "A Service has the same endpoint twice, which so gets twice the share."
    ShadowedRule "shadowed-rule" Warning
        "An earlier rule of the chain takes every packet that this one would match, and does something else \
         with it: this rule is never met."
    DuplicateRule "duplicate-rule" Info
        "The same rule stands in the chain before. Two programs may write the same rule: kubelet and \
         kube-proxy both write the rule of KUBE-FIREWALL."
    MissingChain "missing-chain" Error
        "A rule jumps to a chain that the table does not have: the kernel would refuse the table. Text is \
         missing from the dump, or a rule was edited."
    UnreferencedChain "unreferenced-chain" Info
        "Nothing jumps to a chain that has rules. In large clusters kube-proxy leaves the chains of \
         endpoints that are gone for a while, on purpose."
    NodePortsNotLast "node-ports-not-last" Warning
        "The jump to KUBE-NODEPORTS must be the last rule of KUBE-SERVICES: what stands behind it is not \
         asked about packets to node ports."
    ForwardDropsPods "forward-drops-pods" Error
        "No rule of filter FORWARD accepts a new packet to an endpoint that is not marked for masquerade, \
         and it is dropped: Pods of other nodes and of this one do not reach it."
    HostFirewallFirst "host-firewall-first" Warning
        "A rule of filter FORWARD drops or refuses packets to endpoints before KUBE-FORWARD is asked, which \
         would accept them. A firewall that starts after kube-proxy puts its rules first."
    CanaryLost "canary-lost" Warning
        "KUBE-PROXY-CANARY is in some tables and not in others. kube-proxy makes it in mangle, nat and \
         filter; where it is gone something has flushed the table, and kube-proxy's rules with it."
    CanaryMissing "canary-missing" Info
        "No table has KUBE-PROXY-CANARY, with which kube-proxy from 1.17 on notices that a table was \
         flushed. It is made once, at the start, and only logged when that fails."
    TwoBackends "two-backends" Error
        "Both the legacy and the nft tables hold rules of kube-proxy. The kernel asks both; one of them is \
         not kept up to date."
    EndpointsDiffer "endpoints-differ" Warning
        "Dumps of several nodes have different endpoints for one Service. Dumps that were taken at \
         different times differ so, nodes that are not kept up to date, and topology-aware routing. Of \
         three nodes or more those that are fewer are named as likelier to be behind, which is a hint."
    ServicesDiffer "services-differ" Warning
        "A Service is in the dump of one node and not in that of another."
    NotChecked "not-checked" Info
        "A part of the dump is missing, so that a check could not be made."
}
