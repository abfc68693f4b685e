//! Whether a node's rules do what the API's objects ask for.
//!
//! For every Service port, address and kind of sender a packet is walked, and what becomes of it
//! compared with what the objects ask of a kube-proxy whose rules are laid out like these: the
//! endpoints and their shares, masquerading, REJECT and DROP. What a walk cannot show (hairpin marks,
//! affinity, jumps, masks) is looked up in the chains.
//!
//! ```
//! use hookwalk_kube::objects::Objects;
//! use hookwalk_kube::verify::{Options, Verifier};
//! let dump = hookwalk_parser::parse("*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n\
//!     -A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\nCOMMIT\n");
//! let (objects, _) = Objects::read(r#"{"kind":"Service","metadata":{"namespace":"shop","name":"web"},
//!     "spec":{"clusterIP":"10.96.0.7","ports":[{"port":80}]}}"#);
//! let findings = Verifier::new(vec![dump], Default::default(), &objects, &Options::default()).findings();
//! assert_eq!(findings[0].code, "service-missing");
//! assert_eq!(findings[0].object.as_deref(), Some("service shop/web"));
//! ```

mod chains;
mod compare;
mod expect;
mod jumps;
mod ports;
mod shapes;
mod walks;

use std::net::IpAddr;

use hookwalk_engine::{Host, RuleRef};
use hookwalk_parser::Dump;
use hookwalk_parser::types::{Family, MaskedAddress};
use rustc_hash::FxHashMap;

use crate::finding::{Finding, Severity};
use crate::inventory::{AddressEntry, AddressKind, Inventory, PortEntry};
use crate::names::service_hash;
use crate::objects::{Node, Objects};
use crate::rules::Tables;
use crate::settings::{Detector, Settings};
use crate::vantage::{Prober, Vantage};
use compare::{Doubt, Mismatch, Where};
use expect::Asked;
use ports::Port;

/// What is known beside dumps and objects.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// The Node that the dumps are from: its endpoints are the local ones. Without, what depends on
    /// that is not checked.
    pub node: Option<String>,
    /// `--cluster-cidr`, in place of the detector that the rules show; at most one a family counts.
    pub cluster_cidrs: Vec<MaskedAddress>,
    /// `--masquerade-all`, in place of what the rules show.
    pub masquerade_all: Option<bool>,
    /// `--nodeport-addresses`, in place of what the rules show; empty for what they show.
    pub nodeport_addresses: Vec<MaskedAddress>,
}

/// Checks the rules of one node against the API's objects.
pub struct Verifier<'o> {
    objects: &'o Objects,
    node: Option<&'o Node>,
    options: Options,
    inventory: Inventory,
    /// What the rules show, overruled.
    settings: Vec<Settings>,
    prober: Prober,
}

impl<'o> Verifier<'o> {
    /// Reads the rules. `host` is what is known of the node; addresses of its Node object are added
    /// where it tells none.
    pub fn new(dumps: Vec<Dump>, host: Host, objects: &'o Objects, options: &Options) -> Self {
        let inventory = Inventory::read(&dumps, Some(objects));
        let node = options.node.as_deref().and_then(|name| objects.node(name));
        let mut settings = inventory.settings.clone();
        for settings in &mut settings {
            let cidr = options.cluster_cidrs.iter().find(|cidr| cidr.family() == settings.family);
            settings.detector = cidr.map(|cidr| Detector::Cidr(*cidr)).or(settings.detector);
            settings.masquerade_all = options.masquerade_all.unwrap_or(settings.masquerade_all);
        }
        let places = Inventory { settings: settings.clone(), ..inventory.clone() };
        let mut host = host;
        let localnet = &mut host.sysctls.all_mut(Family::V4).route_localnet;
        // kube-proxy sets it where it serves node ports on localhost.
        if settings.iter().any(|settings| settings.family == Family::V4 && settings.serves_localhost()) {
            *localnet = localnet.or(Some(true));
        }
        let prober = Prober::new(dumps, host, &places, node, &objects.nodes);
        Verifier { objects, node, options: options.clone(), inventory, settings, prober }
    }

    /// The settings that are checked against, a family each.
    pub fn settings(&self) -> &[Settings] {
        &self.settings
    }

    /// What walks the packets.
    pub fn prober(&self) -> &Prober {
        &self.prober
    }

    /// What the rules serve.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Everything that is not as the objects ask, what weighs most first.
    pub fn findings(&self) -> Vec<Finding> {
        let tables = Tables::new(self.prober.engine().dumps());
        let mut findings = Vec::new();
        let mut asked: FxHashMap<usize, Vec<Port<'_>>> = FxHashMap::default();
        let by_hash: FxHashMap<&str, usize> = self
            .inventory
            .services
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| Some((entry.hash.as_deref()?, index)))
            .collect();
        for settings in &self.settings {
            if self.inventory.ipvs.contains(&settings.family) {
                findings.push(Self::in_ipvs(&tables, settings.family));
                continue;
            }
            let mut broken = jumps::check(&tables, settings, self.has_node_ports(), &mut findings);
            broken.marks |= chains::check_marks(&tables, settings, &mut findings);
            self.check_localnet(&tables, settings, &mut findings);
            shapes::check(&tables, settings, &mut findings);
            self.check_node_port_addresses(&tables, settings, &mut findings);
            for port in ports::ports(self.objects, self.options.node.as_deref(), self.node, settings.family) {
                let hashes = [
                    service_hash(&port.name, port.protocol),
                    service_hash(&format!("{}:", port.name), port.protocol),
                ];
                match hashes.iter().find_map(|hash| by_hash.get(hash.as_str())) {
                    Some(&index) => {
                        if let Some(entry) = self.inventory.services.get(index) {
                            self.check_port(&tables, settings, &broken, &port, entry, &mut findings);
                        }
                        asked.entry(index).or_default().push(port);
                    }
                    None => findings.push(Self::missing(&tables, settings.family, &port)),
                }
            }
            chains::check_unreferenced(&tables, settings.family, &mut findings);
        }
        self.check_stale(&asked, &mut findings);
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    fn in_ipvs(tables: &Tables<'_>, family: Family) -> Finding {
        let message = "kube-proxy runs in ipvs mode: its Services are in IPVS (`ipvsadm -Ln`), and these rules do not \
                       tell whether they are as the objects ask";
        let finding = Finding::new("ipvs-mode", Severity::Warning, message);
        at_chain(tables, family, "nat", "KUBE-SERVICES", finding)
    }

    fn has_node_ports(&self) -> bool {
        self.objects
            .services
            .iter()
            .any(|s| s.is_proxied() && s.ports.iter().any(|port| port.node_port.is_some()))
    }

    fn missing(tables: &Tables<'_>, family: Family, port: &Port<'_>) -> Finding {
        let message = format!("no rule serves `{}` ({})", port.name, port.protocol);
        let finding = Finding::new("service-missing", Severity::Error, message).about(port.object());
        at_chain(tables, family, "nat", "KUBE-SERVICES", finding)
    }

    fn check_port(
        &self,
        tables: &Tables<'_>,
        settings: &Settings,
        broken: &jumps::Broken,
        port: &Port<'_>,
        entry: &PortEntry,
        findings: &mut Vec<Finding>,
    ) {
        let mut mismatches = Vec::new();
        for asked in port.addresses() {
            if asked.kind == AddressKind::NodePort && broken.node_ports {
                continue;
            }
            let served = entry.addresses.iter().find(|served| {
                (served.ip, served.port, served.family) == (asked.ip, asked.port, settings.family)
            });
            let Some(served) = served else {
                if asked.required {
                    findings.push(Self::address_missing(tables, settings.family, port, &asked));
                }
                continue;
            };
            let refuses = port.refuses(settings, &asked);
            if refuses == Some(true) && served.no_endpoints.is_none() {
                findings.push(Self::refusal_missing(tables, settings.family, port, &asked, served));
            }
            for ask in walks::asks(self, settings, port, &asked) {
                if !broken.skips(ask.vantage) {
                    self.compare(settings, port, entry, &asked, served, &ask, &mut mismatches);
                }
            }
        }
        if broken.marks {
            mismatches.retain(|(mismatch, _): &(Mismatch, Where)| !mismatch.is_about_masquerading());
        }
        compare::report(port, mismatches, findings);
        let from = findings.len();
        chains::check_port(tables, settings, port, entry, findings);
        // What the chains show already is not walked again.
        if findings.len() == from && !broken.marks && !broken.skips(Vantage::Pod) {
            self.check_hairpin(settings, port, entry, findings);
            self.check_sessions(settings, port, entry, findings);
        }
        if !broken.node_ports {
            chains::check_localhost(tables, settings, port, findings);
        }
        Self::check_ranges(settings.family, port, entry, findings);
        if !self.prober.places(settings.family).node_is_made_up && port.has_usable() {
            let node = self.prober.places(settings.family).node;
            chains::check_own_range(tables, port, entry, node, findings);
        }
        Self::check_health(tables, settings, port, entry, findings);
    }

    #[expect(clippy::too_many_arguments, reason = "one question in all its parts")]
    fn compare(
        &self,
        settings: &Settings,
        port: &Port<'_>,
        entry: &PortEntry,
        asked: &ports::Address,
        served: &AddressEntry,
        ask: &walks::Ask,
        mismatches: &mut Vec<(Mismatch, Where)>,
    ) {
        let answer = walks::answer(self, ask, served, port.protocol);
        let places = self.prober.places(settings.family);
        let expected = if ask.unserved {
            vec![expect::Expected::NoEndpoint]
        } else {
            let packet = Asked::new(places, ask.vantage, &answer.packet, settings);
            expect::expected(settings, port, asked, &packet)
        };
        let place = Where {
            kind: asked.kind,
            ip: asked.ip,
            port: asked.port,
            vantage: ask.vantage,
            special: ask.special.clone(),
            rule: served.rule.clone(),
        };
        let doubt = Doubt { settings, entry, inventory: &self.inventory };
        for mismatch in compare::mismatches(&doubt, &answer, &expected) {
            mismatches.push((mismatch, place.clone()));
        }
    }

    fn address_missing(
        tables: &Tables<'_>,
        family: Family,
        port: &Port<'_>,
        asked: &ports::Address,
    ) -> Finding {
        let message = format!("no rule serves {} of `{}`", asked.text(), port.name);
        let chain = if asked.kind == AddressKind::NodePort { "KUBE-NODEPORTS" } else { "KUBE-SERVICES" };
        let finding = Finding::new("address-missing", Severity::Error, message).about(port.object());
        at_chain(tables, family, "nat", chain, finding)
    }

    fn refusal_missing(
        tables: &Tables<'_>,
        family: Family,
        port: &Port<'_>,
        asked: &ports::Address,
        served: &AddressEntry,
    ) -> Finding {
        let message = format!(
            "`{}` has no endpoint for {}, and no rule refuses what comes there",
            port.name,
            asked.text()
        );
        let chain =
            if asked.kind == AddressKind::ClusterIp { "KUBE-SERVICES" } else { "KUBE-EXTERNAL-SERVICES" };
        let finding = Finding::new("refusal-missing", Severity::Error, message)
            .about(port.object())
            .at(served.rule.clone());
        at_chain(tables, family, "filter", chain, finding)
    }

    fn check_ranges(family: Family, port: &Port<'_>, entry: &PortEntry, findings: &mut Vec<Finding>) {
        let served =
            entry.addresses.iter().find(|a| a.kind == AddressKind::LoadBalancerIp && a.family == family);
        let Some(served) = served.filter(|_| port.has_usable()) else { return };
        let in_rules: Vec<MaskedAddress> =
            entry.source_ranges.iter().copied().filter(|range| range.family() == family).collect();
        let in_object = port.source_ranges();
        let mut tell = |ranges: Vec<MaskedAddress>, code, what: &str| {
            for range in ranges {
                let message = format!("source range {range} of `{}` {what}", port.name);
                findings.push(
                    Finding::new(code, Severity::Error, message).about(port.object()).at(served.rule.clone()),
                );
            }
        };
        let lacks = |of: &[MaskedAddress], in_: &[MaskedAddress]| -> Vec<MaskedAddress> {
            of.iter().filter(|range| !in_.contains(range)).copied().collect()
        };
        tell(lacks(&in_object, &in_rules), "source-range-missing", "is in the object and not in the rules");
        tell(lacks(&in_rules, &in_object), "source-range-stale", "is in the rules and not in the object");
    }

    fn check_health(
        tables: &Tables<'_>,
        settings: &Settings,
        port: &Port<'_>,
        entry: &PortEntry,
        findings: &mut Vec<Finding>,
    ) {
        // Rules for it came with 1.21.
        if settings.layout < Some(crate::settings::Layout::From122) || tables.named("filter").next().is_none()
        {
            return;
        }
        let (asked, found) = (port.health_check(), entry.health_check_node_port);
        let (code, message) = match (asked, found) {
            (Some(asked), None) => (
                "health-check-missing",
                format!("no rule accepts the health check of `{}` at port {asked}", port.name),
            ),
            (Some(asked), Some(found)) if asked != found => {
                let message =
                    format!("the health check of `{}` is accepted at port {found}, not {asked}", port.name);
                ("health-check-differs", message)
            }
            (None, Some(found)) => {
                let message =
                    format!("port {found} is open for a health check that `{}` does not have", port.name);
                ("health-check-stale", message)
            }
            _ => return,
        };
        let finding = Finding::new(code, Severity::Error, message).about(port.object());
        findings.push(at_chain(tables, settings.family, "filter", "KUBE-NODEPORTS", finding));
    }

    fn check_node_port_addresses(
        &self,
        tables: &Tables<'_>,
        settings: &Settings,
        findings: &mut Vec<Finding>,
    ) {
        let asked: Vec<MaskedAddress> = self
            .options
            .nodeport_addresses
            .iter()
            .copied()
            .filter(|a| a.family() == settings.family)
            .collect();
        if asked.is_empty() || !settings.node_ports.served {
            return;
        }
        let in_asked = |address: &IpAddr| asked.iter().any(|network| network.contains(*address));
        let message = match &settings.node_ports.addresses {
            None if asked.iter().any(MaskedAddress::is_any) => return,
            None => "node ports are served on all of the node's addresses".to_owned(),
            Some(found) => match found.iter().find(|address| !in_asked(address)) {
                Some(address) => format!("node ports are served on {address}"),
                None => return,
            },
        };
        let message = format!("{message}, which --nodeport-addresses does not ask for");
        let finding = Finding::new("setting-differs", Severity::Error, message);
        findings.push(at_chain(tables, settings.family, "nat", "KUBE-SERVICES", finding));
    }

    /// What the rules serve and no object asks for.
    fn check_stale(&self, asked: &FxHashMap<usize, Vec<Port<'_>>>, findings: &mut Vec<Finding>) {
        for (index, entry) in self.inventory.services.iter().enumerate() {
            let object = format!("service {entry}");
            let Some(ports) = asked.get(&index) else {
                let Some(first) = entry.addresses.first() else { continue };
                let message = format!("rules serve `{entry}` ({}), which no object has", entry.protocol);
                findings.push(
                    Finding::new("service-stale", Severity::Error, message)
                        .about(object)
                        .at(first.rule.clone()),
                );
                continue;
            };
            for address in &entry.addresses {
                let known = ports.iter().filter(|port| port.family == address.family).any(|port| {
                    port.addresses().iter().any(|asked| (asked.ip, asked.port) == (address.ip, address.port))
                });
                if !known {
                    let text = address.ip.map_or_else(
                        || format!("node port {}", address.port),
                        |ip| {
                            format!(
                                "{} {}",
                                address.kind.as_str(),
                                std::net::SocketAddr::new(ip, address.port)
                            )
                        },
                    );
                    let message = format!("rules serve {text} of `{entry}`, which the object does not have");
                    let finding =
                        Finding::new("address-stale", Severity::Error, message).about(object.clone());
                    findings.push(finding.at(address.rule.clone()));
                }
            }
        }
    }
}

/// A finding at a chain of the family's table: at its line, where it is declared.
fn at_chain(
    tables: &Tables<'_>,
    family: Family,
    table: &'static str,
    chain: &str,
    finding: Finding,
) -> Finding {
    let mut views = tables.named(table).filter(|view| view.family == family);
    let found: Option<RuleRef> = views.find_map(|view| tables.chain_reference(view, chain));
    match found {
        Some(place) => finding.at(place),
        None => finding,
    }
}
