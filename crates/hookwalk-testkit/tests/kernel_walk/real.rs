//! Rulesets that people run: the folder of real dumps, with packets aimed at what they ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::{Dump, Rule, Table, parse};
use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{Backend, Context, Scene};
use hookwalk_testkit::ruleset::{Chain, Hint, Ruleset};
use hookwalk_testkit::topology::{Interface, Subnet, Topology};

use crate::common::{has_kernel, is_ci, setting, smaller};
use crate::random::{Job, Tally};

/// More interfaces than this are left out: each is a device of the kernel.
const MOST_INTERFACES: usize = 12;

/// Every file of the folders of dumps that load; none where the folder is not there.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let mut folders = vec![root.join("corpus"), root.join("kube-proxy")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("companions") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "txt" || end == "save") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn rules(dump: &Dump) -> impl Iterator<Item = &Rule> {
    dump.tables().iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules)
}

/// The sets that the rules name, of a type that fits, each with some of the addresses asked about.
fn sets(dump: &Dump, family: Family, addresses: &[IpAddr]) -> String {
    let mut sets: BTreeMap<String, usize> = BTreeMap::new();
    let mut name = |name: String, dimensions: usize| {
        let known = sets.entry(name).or_default();
        *known = (*known).max(dimensions);
    };
    for rule in rules(dump) {
        for asked in &rule.matches {
            let Match::Set(set) = asked else { continue };
            let asked = set.match_set.iter().map(|set| &set.value);
            asked.for_each(|set| name(set.name.to_str().into_owned(), set.dimensions.0.len()));
        }
        let Target::Set(set) = &rule.target else { continue };
        let named = [&set.add, &set.delete].into_iter().flatten();
        named.for_each(|set| name(set.name.to_str().into_owned(), set.dimensions.0.len()));
    }
    let inet = if family == Family::V4 { "inet" } else { "inet6" };
    let mut text = String::new();
    for (number, (name, dimensions)) in sets.into_iter().enumerate() {
        let (kind, rest) = match dimensions {
            0 | 1 => ("hash:ip", ""),
            2 => ("hash:ip,port", ",tcp:80"),
            _ => ("hash:ip,port,ip", ",tcp:80,192.0.2.9"),
        };
        writeln!(text, "create {name} {kind} family {inet} hashsize 1024 maxelem 65536").unwrap();
        let some: BTreeSet<&IpAddr> = addresses.iter().skip(number).step_by(3).take(5).collect();
        for address in some.into_iter().filter(|_| dimensions < 3) {
            writeln!(text, "add {name} {address}{rest}").unwrap();
        }
    }
    text
}

/// A node with the interfaces that the rules name, and addresses beside those that they ask about.
fn node(dump: &Dump, family: Family, addresses: &[IpAddr]) -> Topology {
    let mut node = Topology::default();
    let named = rules(dump).flat_map(|rule| [rule.base.in_interface(), rule.base.out_interface()]);
    for pattern in named.flatten() {
        let mut name = String::from_utf8_lossy(pattern.value.name()).into_owned();
        if pattern.value.is_prefix() {
            name.push('0');
        }
        let is_new =
            name != "lo" && name.len() <= 15 && node.interfaces.iter().all(|known| known.name != name);
        if is_new && !name.is_empty() && node.interfaces.len() < MOST_INTERFACES {
            node.interfaces.push(Interface { name, addresses: vec![] });
        }
    }
    let prefix = if family == Family::V4 { 24 } else { 64 };
    let mut taken: Vec<Subnet> = node.subnets(family).collect();
    let mut fitting = addresses.iter().filter(|address| match address {
        IpAddr::V4(v4) => v4.is_private() && !matches!(v4.octets()[3], 0 | 255),
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000 || v6.segments()[0] & 0xfe00 == 0xfc00,
    });
    for interface in node.interfaces.iter_mut().skip(3) {
        let subnet = fitting
            .by_ref()
            .map(|address| Subnet::new(*address, prefix))
            .find(|subnet| taken.iter().all(|known| !known.contains(subnet.address)));
        interface.addresses.extend(subnet);
        taken.extend(subnet);
    }
    node
}

/// A file without the lines whose rules hold something unknown.
fn understood(path: &Path) -> Dump {
    let text = std::fs::read(path).unwrap();
    let dump = parse(text.clone());
    let unknown = rules(&dump).filter(|rule| rule.unknown_parts().next().is_some());
    let unknown: BTreeSet<usize> = unknown.map(|rule| usize::try_from(rule.line).unwrap()).collect();
    let lines = text.split_inclusive(|byte| *byte == b'\n').zip(1..);
    parse(
        lines
            .filter(|(_, number)| !unknown.contains(number))
            .flat_map(|(line, _)| line)
            .copied()
            .collect::<Vec<u8>>(),
    )
}

/// The base chains that a table lacks: iptables-nft-save prints them where the kernel has none, and only the kernel
/// tells that no packet passes their policy.
fn complete(ruleset: &mut Ruleset, dump: &Dump) {
    for table in &mut ruleset.tables {
        let read = dump.tables().iter().find(|read| read.name == table.name);
        for name in read.map(Table::builtin_chains).unwrap_or_default() {
            let name = String::from_utf8_lossy(name);
            if table.chains.iter().all(|chain| chain.name != name) {
                let policy = Some("ACCEPT");
                table.chains.push(Chain { name: name.into_owned(), policy, rules: vec![] });
            }
        }
    }
}

/// Each packet is walked as the first one of a node, and all of them go through one kernel: rates are put so high
/// or buckets so deep, that they use nothing up.
fn loosen(ruleset: &mut Ruleset) {
    let rules =
        ruleset.tables.iter_mut().flat_map(|table| &mut table.chains).flat_map(|chain| &mut chain.rules);
    for condition in rules.flat_map(|rule| &mut rule.conditions) {
        if condition.ext == "limit" {
            "-m limit --limit 10000/sec --limit-burst 10000".clone_into(&mut condition.text);
        }
        if condition.ext == "hashlimit" {
            let mut words: Vec<&str> = condition.text.split(' ').collect();
            if let Some(at) = words.iter().position(|word| *word == "--hashlimit-burst") {
                words.drain(at..at + 2);
            }
            condition.text = words.join(" ") + " --hashlimit-burst 10000";
        }
    }
}

/// The rules of one family of a file, where there are any.
fn scene(path: &Path, family: Family) -> Option<(Ruleset, Scene)> {
    let dump = understood(path);
    let mut known = Ruleset::of_dump(&dump, family);
    complete(&mut known, &dump);
    loosen(&mut known);
    known.rules().next()?;
    let hints = known.rules().flat_map(|rule| {
        rule.conditions.iter().flat_map(|condition| &condition.edges).chain(&rule.target.edges).flatten()
    });
    let addresses: Vec<IpAddr> = hints
        .filter_map(|hint| match hint {
            Hint::Source(address) | Hint::Destination(address) => Some(*address),
            _ => None,
        })
        .filter(|address| Family::of(*address) == family)
        .collect();
    let scene = Scene {
        backend: Backend::Legacy,
        family,
        topology: node(&dump, family, &addresses),
        sets: sets(&dump, family, &addresses),
        rules: known.to_string(),
        context: Context::default(),
    };
    Some((known, scene))
}

#[test]
fn real_dumps_are_walked_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let files = files();
    if files.is_empty() {
        assert!(!is_ci(), "the folder of real dumps is not there");
        eprintln!("skipped: the folder of real dumps is not there");
        return;
    }
    let packets = usize::try_from(setting("HOOKWALK_PACKETS", 40)).unwrap();
    let only = std::env::var("HOOKWALK_ONLY").unwrap_or_default();
    let files: Vec<(u64, PathBuf)> =
        (1..).zip(files).filter(|(_, path)| path.display().to_string().contains(&only)).collect();
    let start = Instant::now();
    let threads = Backend::ALL.map(|backend| {
        let files = files.clone();
        std::thread::spawn(move || compare(&files, backend, packets))
    });
    let (mut tally, mut loaded) = (Tally::default(), 0);
    for thread in threads {
        let (more, count, refused) = thread.join().unwrap();
        tally.add(more);
        loaded += count;
        for why in refused {
            eprintln!("not loaded: {why}");
        }
    }
    smaller::write(&tally.specimens, false);
    let Tally { pairs, verdicts, with_unknown, differences, .. } = tally;
    eprintln!("{loaded} rulesets, {pairs} pairs in {:?}, {} differences", start.elapsed(), differences.len());
    eprintln!("{verdicts:?}, {with_unknown} pairs with something unknown");
    let told: Vec<&str> = differences.iter().map(|d| d.lines().next().unwrap_or_default()).collect();
    assert!(differences.is_empty(), "{} of {pairs} differ:\n{}", differences.len(), told.join("\n"));
}

/// What a backend comes to, how many rulesets it took, and why not the others.
fn compare(files: &[(u64, PathBuf)], backend: Backend, packets: usize) -> (Tally, usize, Vec<String>) {
    let (mut tally, mut loaded, mut refused) = (Tally::default(), 0, Vec::new());
    for family in [Family::V4, Family::V6] {
        let mut job = Job::new(family, backend);
        for (seed, path) in files {
            let Some((ruleset, scene)) = scene(path, family) else { continue };
            let name = path.file_name().unwrap().to_string_lossy();
            let before = job.tally.differences.len();
            let scene = Scene { backend, ..scene };
            match job.scene(*seed, &ruleset, &scene, packets) {
                Ok(()) => loaded += 1,
                Err(why) => {
                    let why = why.lines().next().unwrap_or_default();
                    refused.push(format!("{name}, {family:?} {backend:?}: {why}"));
                }
            }
            for difference in job.tally.differences.iter_mut().skip(before) {
                difference.insert_str(0, &format!("{name}, "));
            }
        }
        tally.add(job.tally);
    }
    (tally, loaded, refused)
}
