//! What has to hold for the rules of a node, whatever the cluster: each invariant a function that
//! returns nothing, or a [`Counterexample`] that a person can read.
//!
//! Rules from anywhere become a [`Trial`] beside the [`Cluster`](crate::cluster::Cluster) they were
//! written for; the invariants of one trial share its walks.
//!
//! ```
//! use hookwalk_testkit::cluster::Cluster;
//! use hookwalk_testkit::invariants::{self, Trial};
//!
//! let cluster = Cluster::random(7);
//! let text = cluster.rules().restore();
//! invariants::all(&Trial::new(&text, &cluster))?;
//!
//! // A rule writer that forgets to masquerade.
//! let broken = text.replace("-j MARK --or-mark 0x00004000", "-j MARK --or-mark 0x00008000");
//! let found = invariants::masquerade(&Trial::new(&broken, &cluster)).unwrap_err();
//! assert!(found.to_string().lines().count() < 40, "{found}");
//! # Ok::<(), invariants::Counterexample>(())
//! ```
//!
//! | function | holds when |
//! |---|---|
//! | [`shares`] | the shares of a Service's endpoints sum to 1 and are equal within the kernel's rounding |
//! | [`endpoints`] | an address of a Service reaches exactly the endpoints it should |
//! | [`refusals`] | without endpoints it is rejected, without local ones under a Local policy dropped |
//! | [`masquerade`] | the source is rewritten exactly when it must be |
//! | [`local_source`] | traffic from outside under a Local policy keeps its source |
//! | [`affinity`] | a Service with affinity by client address remembers whom it sent where, and for how long |
//! | [`replies`] | the reply to a delivered packet comes back with the addresses that were asked |
//! | [`closed_host`] | on a node that drops by policy, Service traffic and its replies still pass |
//! | [`strangers`] | INVALID packets, and packets to 127.0.0.0/8 from elsewhere, do not get in |
//! | [`jumps`] | no jump leads nowhere or round in a circle |
//! | [`reachable`] | no chain and no rule is there that no packet can reach |
//! | [`same`] | two sets of rules treat every packet the same: the order of Services, a second sync, a partial instead of a full one, legacy or nft |

mod affinity;
mod closed_host;
mod counterexample;
mod delivery;
mod replies;
mod same;
mod strangers;
mod structure;
mod trial;
mod writers;

pub use counterexample::{Counterexample, RuleLine};
pub(crate) use counterexample::{show_outcome, show_packet};
pub(crate) use same::behaviour as behaviour_of;
pub use same::{same, same_packets};
pub use trial::Trial;
pub use writers::{backends_agree, order_of_services, partial_equals_full, syncing_twice};

/// One of the invariants that hold for the rules of one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Invariant {
    /// [`jumps`]
    Jumps,
    /// [`reachable`]
    Reachable,
    /// [`shares`]
    Shares,
    /// [`endpoints`]
    Endpoints,
    /// [`refusals`]
    Refusals,
    /// [`masquerade`]
    Masquerade,
    /// [`local_source`]
    LocalSource,
    /// [`affinity`]
    Affinity,
    /// [`replies`]
    Replies,
    /// [`closed_host`]
    ClosedHost,
    /// [`strangers`]
    Strangers,
}

impl Invariant {
    /// All of them, those first that others build on.
    pub const ALL: [Invariant; 11] = [
        Invariant::Jumps,
        Invariant::Reachable,
        Invariant::Shares,
        Invariant::Endpoints,
        Invariant::Refusals,
        Invariant::Masquerade,
        Invariant::LocalSource,
        Invariant::Affinity,
        Invariant::Replies,
        Invariant::ClosedHost,
        Invariant::Strangers,
    ];

    /// The stable word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::Jumps => "jumps",
            Invariant::Reachable => "reachable",
            Invariant::Shares => "shares",
            Invariant::Endpoints => "endpoints",
            Invariant::Refusals => "refusals",
            Invariant::Masquerade => "masquerade",
            Invariant::LocalSource => "local-source",
            Invariant::Affinity => "affinity",
            Invariant::Replies => "replies",
            Invariant::ClosedHost => "closed-host",
            Invariant::Strangers => "strangers",
        }
    }

    /// Whether it can be asked of rules alone, without the objects they were written for.
    pub const fn needs_no_objects(self) -> bool {
        matches!(self, Invariant::Jumps | Invariant::Reachable)
    }

    /// Everything that does not hold, in the order of rules and probes.
    pub fn violations(self, trial: &Trial<'_>) -> Vec<Counterexample> {
        match self {
            Invariant::Jumps => structure::jumps(trial),
            Invariant::Reachable => structure::reachable(trial),
            Invariant::Shares => delivery::shares(trial),
            Invariant::Endpoints => delivery::endpoints(trial),
            Invariant::Refusals => delivery::refusals(trial),
            Invariant::Masquerade => delivery::masquerade(trial),
            Invariant::LocalSource => delivery::local_source(trial),
            Invariant::Affinity => affinity::affinity(trial),
            Invariant::Replies => replies::replies(trial),
            Invariant::ClosedHost => closed_host::closed_host(trial),
            Invariant::Strangers => strangers::strangers(trial),
        }
    }

    /// Whether it holds, or the first counterexample.
    pub fn check(self, trial: &Trial<'_>) -> Result<(), Counterexample> {
        self.violations(trial).into_iter().next().map_or(Ok(()), Err)
    }
}

/// Every invariant of one trial.
pub fn all(trial: &Trial<'_>) -> Result<(), Counterexample> {
    Invariant::ALL.into_iter().try_for_each(|invariant| invariant.check(trial))
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident: $invariant:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(trial: &Trial<'_>) -> Result<(), Counterexample> {
                Invariant::$invariant.check(trial)
            }
        )*
    };
}

functions! {
    /// No jump leads to a chain that is not there, and none leads round in a circle.
    jumps: Jumps;
    /// No chain is there that no built-in chain leads to, and no rule that an earlier one always
    /// answers for. The chains of canaries and hints are empty on purpose.
    reachable: Reachable;
    /// The shares of a Service's endpoints sum to exactly 1, and each is one in n within what rounding
    /// to 2^31ths and to the ten digits that are written takes away.
    shares: Shares;
    /// A packet to an address of a Service reaches exactly the endpoints that the objects ask for.
    endpoints: Endpoints;
    /// Where no endpoint serves the sender is told; where only others do under a Local policy, nobody is.
    refusals: Refusals;
    /// The source is rewritten exactly when the reply would not come back through this node otherwise,
    /// and when a setting says so.
    masquerade: Masquerade;
    /// Under `externalTrafficPolicy: Local`, what comes from outside keeps its source.
    local_source: LocalSource;
    /// With affinity by client address each endpoint remembers its clients, and the chain that chooses asks every
    /// endpoint, for as long as the Service says, before it draws.
    affinity: Affinity;
    /// The reply to a delivered packet comes back from the address and port that were asked, to where
    /// the first packet came from; and it comes by this node.
    replies: Replies;
    /// On a node whose policies of INPUT and FORWARD are DROP, masqueraded Service traffic, replies to
    /// it and health checks still pass.
    closed_host: ClosedHost;
    /// An INVALID packet is not forwarded (unless conntrack is liberal with TCP), and 127.0.0.0/8 is not
    /// reached from elsewhere where `route_localnet` is set for node ports.
    strangers: Strangers;
}
