//! `hookwalk check`: the test kit's invariants over rules that another program wrote.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hookwalk::kube::finding::Finding;
use hookwalk::kube::objects::Objects;
use hookwalk::kube::writer::{Config, LocalDetector, Version};
use hookwalk::report::findings;
use hookwalk::types::Family;
use hookwalk::{Dump, Reader};
use hookwalk_testkit::cluster::Cluster;
use hookwalk_testkit::invariants::{self, Counterexample, Invariant, Trial};
use serde_json::Value;

use crate::args::CheckArguments;
use crate::{Exit, Failure, diagnostics, input};

pub(crate) fn run(arguments: &CheckArguments) -> Result<Exit, Failure> {
    let plan = Plan::read(&arguments.invariants)?;
    let stdin = Path::new("-");
    let inputs = arguments.rules.iter().chain([&arguments.invariants]).filter(|file| *file == stdin);
    if inputs.count() > 1 {
        return Err(Failure::usage("standard input can be read once"));
    }
    let mut trials = Vec::new();
    for file in &arguments.rules {
        let text = input::text(file)?;
        // What is loaded before or beside them would hide that nothing of them can be used.
        let alone = plan.reader().parse(text.as_str());
        diagnostics::print(&input::name(file), &alone);
        input::check(&[alone], &arguments.reading)?;
        trials.push(plan.trial(&text));
    }
    let same_as = match &plan.same_as {
        Some(file) => Some(plan.trial(&input::text(file)?)),
        None => None,
    };
    let mut found: Vec<(usize, Counterexample)> = Vec::new();
    for (at, trial) in trials.iter().enumerate() {
        for invariant in &plan.invariants {
            found.extend(invariant.violations(trial).into_iter().map(|one| (at, one)));
        }
        let differs = same_as.as_ref().and_then(|other| invariants::same(other, trial).err());
        found.extend(differs.map(|one| (at, one)));
    }
    report(arguments, &plan, &found)?;
    Ok(if found.is_empty() { Exit::Done } else { Exit::No })
}

fn report(arguments: &CheckArguments, plan: &Plan, found: &[(usize, Counterexample)]) -> Result<(), Failure> {
    if arguments.json {
        let list: Vec<Finding> =
            found.iter().map(|(dump, one)| Finding { dump: *dump, ..Finding::from(one) }).collect();
        let mut report =
            serde_json::to_value(findings(&list, arguments.rules.len())).map_err(std::io::Error::from)?;
        let entries = report.get_mut("findings").and_then(Value::as_array_mut);
        for (entry, (_, one)) in entries.into_iter().flatten().zip(found) {
            if let Some(entry) = entry.as_object_mut() {
                entry.insert("counterexample".into(), one.to_string().into());
            }
        }
        return Ok(super::json(&report)?);
    }
    let mut out = std::io::BufWriter::new(anstream::stdout().lock());
    let mut told: Option<&str> = None;
    for (_, one) in found {
        // The first of each invariant is shown; what breaks one rule breaks many probes.
        if told != Some(one.invariant) {
            writeln!(out, "{one}")?;
            let more = found.iter().filter(|(_, other)| other.invariant == one.invariant).count() - 1;
            if more > 0 {
                writeln!(out, "  ({more} more like it: --json lists all)")?;
            }
            writeln!(out)?;
            told = Some(one.invariant);
        }
    }
    let names: Vec<&str> = plan.invariants.iter().map(|invariant| invariant.name()).collect();
    let result =
        if found.is_empty() { "hold".to_owned() } else { format!("{} counterexamples", found.len()) };
    writeln!(out, "{}: {result}", names.join(", "))?;
    out.flush()?;
    Ok(())
}

/// What FILE says: what the rules are for, and what has to hold.
struct Plan {
    cluster: Cluster,
    invariants: Vec<Invariant>,
    same_as: Option<PathBuf>,
    /// What was loaded before, where the rules are input of `iptables-restore --noflush`.
    onto: Option<String>,
}

impl Plan {
    fn read(file: &Path) -> Result<Plan, Failure> {
        let name = input::name(file);
        let text = input::text(file)?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::input(format!("`{name}` is not JSON: {error}")))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        // Objects alone, as kubectl prints them, are a plan as well.
        let (objects, rest) = if value.get("kind").is_some() {
            (Some(text), Value::Null)
        } else {
            let objects = match value.get("objects") {
                None | Some(Value::Null) => None,
                Some(Value::String(path)) => Some(input::text(&folder.join(path))?),
                Some(inline) => Some(inline.to_string()),
            };
            (objects, value)
        };
        let fields = Fields { name: &name, value: &rest };
        fields.only(&["objects", "settings", "invariants", "same_as", "onto"])?;
        let has_objects = objects.is_some();
        let (objects, lost) = Objects::read(&objects.unwrap_or_default());
        if let Some(error) = lost.first().filter(|_| has_objects) {
            return Err(Failure::input(format!("`{name}`: {error}")));
        }
        let config = settings(&fields.inner("settings"), &objects)?;
        let mut services = objects.services.clone();
        services.retain(|service| !service.ports.is_empty());
        let slices = objects.services.iter().flat_map(|service| objects.slices_of(service)).collect();
        let invariants = match rest.get("invariants") {
            None => Invariant::ALL.into_iter().filter(|one| has_objects || one.needs_no_objects()).collect(),
            Some(names) => chosen(&name, names)?,
        };
        let path = |key: &str| fields.text(key).map(|found| found.map(|path| folder.join(path)));
        let onto = match path("onto")? {
            Some(path) => Some(input::text(&path)?),
            None => None,
        };
        Ok(Plan {
            cluster: Cluster::new(config, services, slices),
            invariants,
            same_as: path("same_as")?,
            onto,
        })
    }

    fn reader(&self) -> Reader {
        Reader::new().family(self.cluster.config.family)
    }

    fn trial(&self, rules: &str) -> Trial<'_> {
        let Some(onto) = &self.onto else { return Trial::new(rules, &self.cluster) };
        let dump: Dump = self.reader().noflush(true).parse(format!("{onto}\n{rules}"));
        Trial::of(vec![dump], &self.cluster)
    }
}

fn chosen(name: &str, list: &Value) -> Result<Vec<Invariant>, Failure> {
    let words: Option<Vec<&str>> = list.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    let words = words.ok_or_else(|| Failure::input(format!("`{name}`: `invariants` is no list of names")))?;
    let by_name = |word: &&str| {
        Invariant::ALL.into_iter().find(|one| one.name() == *word).ok_or_else(|| {
            let all: Vec<&str> = Invariant::ALL.iter().map(|one| one.name()).collect();
            Failure::input(format!("`{name}`: no invariant `{word}`: there are {}", all.join(", ")))
        })
    };
    words.iter().map(by_name).collect()
}

fn settings(fields: &Fields<'_>, objects: &Objects) -> Result<Config, Failure> {
    fields.only(&[
        "version",
        "family",
        "node",
        "node_ip",
        "cluster_cidr",
        "bridge",
        "interface_prefix",
        "masquerade_all",
        "masquerade_bit",
        "localhost_nodeports",
        "nodeport_addresses",
        "conntrack_tcp_liberal",
    ])?;
    let version = fields.parsed("version", "a version from 1.22 to 1.33", |text| {
        Version::ALL.into_iter().find(|version| version.to_string() == text)
    })?;
    let mut config = Config::new(version.unwrap_or(Version::V1_30));
    let address = |text: &str| text.parse::<IpAddr>().ok();
    config.node_ip = fields.parsed("node_ip", "an address", address)?;
    let first = objects.nodes.first();
    let node = fields.text("node")?.map(str::to_owned).or_else(|| first.map(|node| node.name.clone()));
    if let Some(node) = node {
        let own = objects.node(&node).and_then(|node| node.addresses.first()).map(|own| own.address);
        config.node_ip = config.node_ip.or(own);
        config.node_name = node;
    }
    let by_node = match config.node_ip {
        Some(IpAddr::V6(_)) => Family::V6,
        _ => Family::V4,
    };
    config.family = match fields.value.get("family").map(Value::as_u64) {
        None => by_node,
        Some(Some(4)) => Family::V4,
        Some(Some(6)) => Family::V6,
        _ => return Err(fields.wrong("family", "4 or 6")),
    };
    if let Some(cidr) = fields.parsed("cluster_cidr", "a CIDR", |text| text.parse().ok())? {
        config.local_detector = LocalDetector::Cidr(cidr);
    }
    if let Some(bridge) = fields.text("bridge")? {
        config.local_detector = LocalDetector::Bridge(bridge.to_owned());
    }
    if let Some(prefix) = fields.text("interface_prefix")? {
        config.local_detector = LocalDetector::InterfacePrefix(prefix.to_owned());
    }
    config.masquerade_all = fields.flag("masquerade_all")?.unwrap_or(false);
    config.localhost_nodeports = fields.flag("localhost_nodeports")?.unwrap_or(true);
    config.conntrack_tcp_liberal = fields.flag("conntrack_tcp_liberal")?.unwrap_or(false);
    if let Some(bit) = fields.value.get("masquerade_bit") {
        let bit = bit.as_u64().and_then(|bit| u8::try_from(bit).ok()).filter(|bit| *bit < 32);
        config.masquerade_bit = bit.ok_or_else(|| fields.wrong("masquerade_bit", "a bit from 0 to 31"))?;
    }
    if let Some(list) = fields.value.get("nodeport_addresses") {
        let read = |value: &Value| value.as_str().and_then(address);
        let list: Option<Vec<IpAddr>> = list.as_array().and_then(|list| list.iter().map(read).collect());
        config.nodeport_addresses =
            Some(list.ok_or_else(|| fields.wrong("nodeport_addresses", "a list of the node's addresses"))?);
    }
    Ok(config)
}

/// The members of an object in FILE.
struct Fields<'v> {
    name: &'v str,
    value: &'v Value,
}

impl<'v> Fields<'v> {
    fn inner(&self, key: &str) -> Fields<'v> {
        Fields { name: self.name, value: self.value.get(key).unwrap_or(&Value::Null) }
    }

    /// What is not known is told, so that a setting that was misspelt is not passed over.
    fn only(&self, known: &[&str]) -> Result<(), Failure> {
        let keys = self.value.as_object().into_iter().flat_map(|object| object.keys());
        match keys.into_iter().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Failure::input(format!(
                "`{}`: no key `{key}`: there are {}",
                self.name,
                known.join(", ")
            ))),
            None => Ok(()),
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> Failure {
        let found = self.value.get(key).unwrap_or(&Value::Null);
        Failure::input(format!("`{}`: `{key}`: expected {expected}, found `{found}`", self.name))
    }

    fn text(&self, key: &str) -> Result<Option<&'v str>, Failure> {
        match self.value.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| self.wrong(key, "a string")),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, Failure> {
        match self.value.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| self.wrong(key, "true or false")),
        }
    }

    fn parsed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) => read(text).map(Some).ok_or_else(|| self.wrong(key, expected)),
        }
    }
}
