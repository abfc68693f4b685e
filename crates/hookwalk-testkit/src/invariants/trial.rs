use std::cell::OnceCell;

use hookwalk_engine::{Engine, Outcome, Packet, Walk};
use hookwalk_parser::types::Family;
use hookwalk_parser::{Dump, Reader};

use super::counterexample::{Counterexample, RuleLine, show_outcome};
use crate::cluster::{Cluster, Probe};

/// Rules beside the cluster they were written for.
#[derive(Debug)]
pub struct Trial<'c> {
    cluster: &'c Cluster,
    engine: Engine,
    probes: Vec<Probe>,
    walks: OnceCell<Vec<Walk>>,
}

impl<'c> Trial<'c> {
    /// Rules as `iptables-save` prints them or `iptables-restore` takes them. Where the text has no jump
    /// from a built-in chain, as what kube-proxy gives to `iptables-restore --noflush`, kube-proxy's own
    /// jumps to the chains that it has are put behind it.
    pub fn new(rules: &str, cluster: &'c Cluster) -> Self {
        let family = cluster.config.family;
        let dump = Reader::new().family(family).parse(rules);
        if has_entry(&dump) {
            return Trial::of(vec![dump], cluster);
        }
        let text = format!("{rules}\n{}", jumps_into(&dump, cluster));
        Trial::of(vec![Reader::new().family(family).noflush(true).parse(text)], cluster)
    }

    /// Rules that are parsed already: the dumps of one node.
    pub fn of(dumps: Vec<Dump>, cluster: &'c Cluster) -> Self {
        Trial::with_engine(Engine::new(dumps, cluster.host()), cluster)
    }

    /// The same probes over another engine.
    pub(super) fn with_engine(engine: Engine, cluster: &'c Cluster) -> Self {
        Trial { cluster, engine, probes: cluster.probes(), walks: OnceCell::new() }
    }

    /// The cluster.
    pub fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// The rules, ready to walk.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The packets that are tried.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// The probes, each with its walk.
    pub fn walked(&self) -> impl Iterator<Item = (&Probe, &Walk)> {
        let walks = self.walks.get_or_init(|| {
            let walk = |probe: &Probe| self.engine.walk(&probe.packet).ok();
            self.probes.iter().filter_map(walk).collect()
        });
        self.probes.iter().zip(walks)
    }

    pub(super) fn family(&self) -> Family {
        self.cluster.config.family
    }

    /// `service shop/web:http`
    pub(super) fn object(&self, probe: &Probe) -> Option<String> {
        let service = self.cluster.services.get(probe.service)?;
        Some(format!("service {}", service.port_name(service.ports.get(probe.port)?)))
    }

    /// A counterexample about a probe: what was expected, what comes of it, and one outcome's rules.
    pub(super) fn found(
        &self,
        invariant: &'static str,
        probe: &Probe,
        walk: &Walk,
        outcome: Option<&Outcome>,
        message: impl std::fmt::Display,
    ) -> Counterexample {
        let mut found = self.about(
            invariant,
            &walk.packet,
            walk,
            outcome,
            format!("{} from {}: {message}", probe.to, probe.from),
        );
        found.object = self.object(probe);
        found
    }

    /// The same about a packet of no Service.
    pub(super) fn about(
        &self,
        invariant: &'static str,
        packet: &Packet,
        walk: &Walk,
        outcome: Option<&Outcome>,
        message: String,
    ) -> Counterexample {
        let mut found = Counterexample::new(invariant, message);
        found.packet = Some(Box::new(*packet));
        found.walk = outcomes(walk).map(show_outcome).collect();
        let rules = outcome.and_then(|outcome| outcome.matched_rules.as_ref());
        found.rules = rules.into_iter().flatten().map(|rule| RuleLine::new(&self.engine, rule)).collect();
        found
    }
}

/// The outcomes of all cases.
pub(super) fn outcomes(walk: &Walk) -> impl Iterator<Item = &Outcome> {
    walk.cases.iter().flat_map(|case| &case.outcomes)
}

/// kube-proxy's jumps, those that lead to a chain of the dump.
fn jumps_into(dump: &Dump, cluster: &Cluster) -> String {
    let mut text = String::new();
    let mut table = None;
    let bare = Cluster { services: Vec::new(), slices: Vec::new(), ..cluster.clone() };
    for line in bare.rules().jumps().lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = dump.tables().iter().rev().find(|table| table.name == name);
        }
        let has = |chain: &str| table.is_some_and(|table| table.chain(chain).is_some());
        let is_wanted = match line.strip_prefix(':').and_then(|rest| rest.split(' ').next()) {
            // The policies of the text stay.
            Some(declared) => !has(declared),
            None => !line.starts_with("-A") || has(line.rsplit(' ').next().unwrap_or_default()),
        };
        if is_wanted {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Whether some built-in chain has a rule.
fn has_entry(dump: &Dump) -> bool {
    let chains = dump.tables().iter().flat_map(|table| &table.chains);
    let is_builtin =
        |name: &[u8]| matches!(name, b"PREROUTING" | b"INPUT" | b"FORWARD" | b"OUTPUT" | b"POSTROUTING");
    chains.into_iter().any(|chain| is_builtin(chain.name.as_bytes()) && !chain.rules.is_empty())
}
