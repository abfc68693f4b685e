use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hookwalk_parser::types::Family;
use hookwalk_parser::{Backend, Dump, Reader};
use rustc_hash::FxHashMap;

use super::ports::ServicePort;

/// A table that kube-proxy writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TableName {
    Filter,
    Nat,
    Mangle,
}

impl TableName {
    const ALL: [TableName; 3] = [TableName::Filter, TableName::Nat, TableName::Mangle];

    const fn as_str(self) -> &'static str {
        match self {
            TableName::Filter => "filter",
            TableName::Nat => "nat",
            TableName::Mangle => "mangle",
        }
    }

    const fn builtin(self) -> &'static [&'static str] {
        match self {
            TableName::Filter => &["INPUT", "FORWARD", "OUTPUT"],
            TableName::Nat => &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
            TableName::Mangle => &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
        }
    }
}

/// A chain as it is written: the rules without `-A CHAIN`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    name: String,
    rules: Vec<String>,
    /// The Service that alone needs the chain, as `namespace/name`.
    owner: Option<String>,
    /// kube-proxy makes it once when it starts, and no sync names it.
    is_made_once: bool,
}

/// The chains of one table, in the order in which they were first named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Chains {
    list: Vec<Written>,
    places: FxHashMap<String, usize>,
}

/// Where the writer puts its rules.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    chains: [Chains; 3],
    /// Jumps from built-in chains, in the order in which the chain then holds them.
    jumps: Vec<(TableName, &'static str, String)>,
    owner: Option<String>,
    /// So many endpoints that comments are left out.
    pub(super) is_large: bool,
}

impl Tables {
    pub(super) fn new(is_large: bool) -> Self {
        Tables { chains: Default::default(), jumps: Vec::new(), owner: None, is_large }
    }

    /// Whose chains the next new ones are.
    pub(super) fn owner(&mut self, service: Option<&str>) {
        self.owner = service.map(str::to_owned);
    }

    fn chains(&mut self, table: TableName) -> &mut Chains {
        let [filter, nat, mangle] = &mut self.chains;
        match table {
            TableName::Filter => filter,
            TableName::Nat => nat,
            TableName::Mangle => mangle,
        }
    }

    fn written(&mut self, table: TableName, name: &str) -> Option<&mut Written> {
        let owner = self.owner.clone();
        let chains = self.chains(table);
        let place = *chains.places.entry(name.to_owned()).or_insert(chains.list.len());
        if place == chains.list.len() {
            let is_made_once = name.ends_with("-CANARY");
            chains.list.push(Written { name: name.to_owned(), rules: Vec::new(), owner, is_made_once });
        }
        chains.list.get_mut(place)
    }

    /// The chain is there, with or without rules.
    pub(super) fn chain(&mut self, table: TableName, name: &str) {
        self.written(table, name);
    }

    pub(super) fn add(&mut self, table: TableName, chain: &str, rule: String) {
        if let Some(written) = self.written(table, chain) {
            written.rules.push(rule);
        }
    }

    pub(super) fn nat(&mut self, chain: &str, rule: String) {
        self.add(TableName::Nat, chain, rule);
    }

    pub(super) fn filter(&mut self, chain: &str, rule: String) {
        self.add(TableName::Filter, chain, rule);
    }

    /// A jump from a built-in chain, behind those that are there.
    pub(super) fn jump(&mut self, table: TableName, from: &'static str, rule: &str) {
        self.jumps.push((table, from, rule.to_owned()));
    }
}

/// What kube-proxy wrote, ready to be printed.
#[derive(Clone, Debug)]
pub struct KubeRules {
    family: Family,
    tables: Tables,
    /// What each Service's chains were made from.
    services: BTreeMap<String, Vec<ServicePort>>,
}

impl KubeRules {
    pub(super) fn new(family: Family, tables: Tables, ports: Vec<ServicePort>) -> Self {
        let mut services: BTreeMap<String, Vec<ServicePort>> = BTreeMap::new();
        for port in ports {
            services.entry(port.service.clone()).or_default().push(port);
        }
        KubeRules { family, tables, services }
    }

    /// What loads the rules into an empty kernel by `iptables-restore`: the built-in chains with
    /// kube-proxy's jumps, then its own chains, options in the order in which kube-proxy writes them.
    pub fn restore(&self) -> String {
        let mut text = String::new();
        for table in TableName::ALL {
            self.write_whole(table, &mut text);
        }
        text
    }

    /// What `iptables-save` 1.8.9 of the legacy backend shows once they are loaded, without the times
    /// in its comments.
    pub fn save(&self) -> String {
        self.save_of(Backend::Legacy)
    }

    /// The same of either backend: they differ in headers and in the order of tables.
    pub fn save_of(&self, backend: Backend) -> String {
        String::from_utf8_lossy(&self.dump_of(backend).canonical()).into_owned()
    }

    /// The rules as typed rules. Lines are those of [`KubeRules::restore`].
    pub fn dump(&self) -> Dump {
        Reader::new().family(self.family).backend(Backend::Legacy).parse(self.restore())
    }

    fn dump_of(&self, backend: Backend) -> Dump {
        let order = match backend {
            Backend::Legacy => TableName::ALL,
            Backend::Nft => [TableName::Mangle, TableName::Filter, TableName::Nat],
        };
        let mut text = String::new();
        for table in order {
            self.write_whole(table, &mut text);
        }
        Reader::new().family(self.family).backend(backend).parse(text)
    }

    /// The commands that kube-proxy makes its jumps with, where they are not there yet: run in this
    /// order, each puts one in front.
    pub fn jump_commands(&self) -> Vec<String> {
        let command = if self.family == Family::V4 { "iptables" } else { "ip6tables" };
        let jumps = self.tables.jumps.iter().rev();
        jumps.map(|(table, from, rule)| format!("{command} -t {} -I {from} {rule}", table.as_str())).collect()
    }

    /// The built-in chains of its tables with its jumps alone, as `iptables-restore --noflush` takes
    /// them: what a sync leaves out.
    pub fn jumps(&self) -> String {
        let mut text = String::new();
        for table in [TableName::Filter, TableName::Nat] {
            line(&mut text, format_args!("*{}", table.as_str()));
            for name in table.builtin() {
                line(&mut text, format_args!(":{name} ACCEPT [0:0]"));
            }
            for (_, from, rule) in self.tables.jumps.iter().filter(|(of, ..)| *of == table) {
                line(&mut text, format_args!("-A {from} {rule}"));
            }
            line(&mut text, format_args!("COMMIT"));
        }
        text
    }

    /// What kube-proxy gives to `iptables-restore --noflush` in a full sync: every chain of its own
    /// anew, and those away that only `before` had. The jumps come from [`KubeRules::jump_commands`].
    ///
    /// In a large cluster chains that nothing jumps to any more stay for a while; so they do here.
    pub fn full_sync(&self, before: Option<&KubeRules>) -> String {
        self.sync(before, &|_| true)
    }

    /// What kube-proxy from 1.26 on gives to `iptables-restore --noflush` when it knows what changed
    /// since `before`: the chains that all Services share, and those of the changed Services alone.
    pub fn partial_sync(&self, before: &KubeRules) -> String {
        self.sync(Some(before), &|service| self.services.get(service) != before.services.get(service))
    }

    fn sync(&self, before: Option<&KubeRules>, is_written: &dyn Fn(&str) -> bool) -> String {
        let mut text = String::new();
        let tables = [(TableName::Filter, 0), (TableName::Nat, 1)];
        for (table, at) in tables {
            let Some(chains) = self.tables.chains.get(at) else { continue };
            let is_written =
                |chain: &&Written| !chain.is_made_once && chain.owner.as_deref().is_none_or(is_written);
            let own = chains.list.iter().filter(is_written);
            let kept: BTreeSet<&str> = chains.list.iter().map(|chain| chain.name.as_str()).collect();
            let earlier = before.and_then(|before| before.tables.chains.get(at));
            let stale = earlier.into_iter().flat_map(|chains| &chains.list);
            let stale: Vec<&str> = stale
                .map(|chain| chain.name.as_str())
                .filter(|name| !kept.contains(name) && !self.tables.is_large)
                .collect();
            line(&mut text, format_args!("*{}", table.as_str()));
            for name in own.clone().map(|chain| chain.name.as_str()).chain(stale.iter().copied()) {
                line(&mut text, format_args!(":{name} - [0:0]"));
            }
            for chain in own {
                write_rules(chain, &mut text);
            }
            for name in stale {
                line(&mut text, format_args!("-X {name}"));
            }
            line(&mut text, format_args!("COMMIT"));
        }
        text
    }

    fn write_whole(&self, table: TableName, text: &mut String) {
        let at = TableName::ALL.iter().position(|one| *one == table).unwrap_or(0);
        let Some(chains) = self.tables.chains.get(at) else { return };
        line(text, format_args!("*{}", table.as_str()));
        for name in table.builtin() {
            line(text, format_args!(":{name} ACCEPT [0:0]"));
        }
        for chain in &chains.list {
            line(text, format_args!(":{} - [0:0]", chain.name));
        }
        for (_, from, rule) in self.tables.jumps.iter().filter(|(of, ..)| *of == table) {
            line(text, format_args!("-A {from} {rule}"));
        }
        for chain in &chains.list {
            write_rules(chain, text);
        }
        line(text, format_args!("COMMIT"));
    }
}

fn write_rules(chain: &Written, text: &mut String) {
    for rule in &chain.rules {
        line(text, format_args!("-A {} {rule}", chain.name));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
