//! Cases of testdata/kernel: a node, rules, packets, and what the kernel did with them.
//! The format is described in testdata/kernel/README.md.

use std::net::IpAddr;
use std::path::PathBuf;

use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{Answer, Answers, ArbiterError, AsItLeft, Backend, Context, EngineArbiter};
use hookwalk_testkit::arbiter::{Arbiter as _, Moment, Port, Scene, Shot};
use hookwalk_testkit::packets::{Fragment, PacketSpec, flag, proto};
use serde::{Deserialize, Serialize};

/// A file of testdata/kernel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What it shows.
    pub(crate) about: String,
    pub(crate) backend: String,
    pub(crate) family: u8,
    /// Whether the packets come one after the other on one host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) session: bool,
    /// Whether the walk leaves something open, as it has to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unknown: bool,
    /// As `Topology` prints it.
    pub(crate) node: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) sets: String,
    /// As iptables-save has printed them.
    pub(crate) rules: String,
    #[serde(default)]
    pub(crate) context: Said,
    pub(crate) packet: Vec<Asked>,
}

/// What the node's tools have printed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Said {
    addr: String,
    route: String,
    rule: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    ipset: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    sysctl: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    conntrack: String,
}

/// A packet in the fields of packet JSON, and the answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    in_iface: Option<String>,
    src: String,
    dst: String,
    proto: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    sport: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dport: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_id: Option<u16>,
    #[serde(default, skip_serializing_if = "is_zero")]
    mark: u32,
    #[serde(default = "usual_ttl", skip_serializing_if = "is_usual_ttl")]
    ttl: u8,
    #[serde(default, skip_serializing_if = "is_zero")]
    tos: u8,
    #[serde(default)]
    length: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    frag_off: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mf: Option<bool>,
    state: String,
    #[serde(default)]
    pub(crate) seen: Seen,
}

/// What the kernel did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    verdict: String,
    /// The packet as it left: source, port, destination, port, mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<(IpAddr, i32, IpAddr, i32, u32)>,
    steps: Vec<String>,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

fn usual_ttl() -> u8 {
    64
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this type")]
fn is_usual_ttl(ttl: &u8) -> bool {
    *ttl == usual_ttl()
}

impl Seen {
    pub(crate) fn of(answer: &Answer) -> Self {
        let port = |port: &Port| match port {
            Port::Known(port) => i32::from(*port),
            _ => -1,
        };
        let left = answer.packet.as_ref().and_then(|packet| {
            Some((packet.src?, port(&packet.sport), packet.dst, port(&packet.dport), packet.mark))
        });
        Self { verdict: answer.verdict.clone(), left, steps: answer.steps.clone() }
    }

    pub(crate) fn answer(&self) -> Answer {
        let port = |port: i32| u16::try_from(port).map_or(Port::Untold, Port::Known);
        let packet = self.left.map(|(src, sport, dst, dport, mark)| AsItLeft {
            src: Some(src),
            dst,
            sport: port(sport),
            dport: port(dport),
            mark,
        });
        Answer {
            verdict: self.verdict.clone(),
            steps: self.steps.clone(),
            steps_are_told: true,
            maybe: vec![],
            packet,
            share: hookwalk::Probability::ONE,
        }
    }
}

impl Asked {
    pub(crate) fn of(shot: &Shot, seen: &Answer) -> Self {
        let first = &shot.first;
        let ports = first.has_ports();
        let icmp = proto::is_icmp(first.proto);
        Self {
            in_iface: first.in_iface.clone(),
            src: first.src.to_string(),
            dst: first.dst.to_string(),
            proto: first.proto,
            sport: ports.then_some(first.sport),
            dport: ports.then_some(first.dport),
            flags: (first.proto == proto::TCP).then(|| first.flag_names()),
            icmp_type: icmp.then_some(first.icmp_type),
            icmp_code: icmp.then_some(first.icmp_code),
            icmp_id: icmp.then_some(first.icmp_id),
            mark: first.mark,
            ttl: first.ttl,
            tos: first.tos,
            length: first.length(),
            frag_off: first.fragment.map(|fragment| fragment.offset),
            mf: first.fragment.map(|fragment| fragment.more),
            state: shot.moment.name().to_owned(),
            seen: Seen::of(seen),
        }
    }

    pub(crate) fn shot(&self) -> Shot {
        let bit =
            |name: &str| flag::NAMES.iter().find(|(_, known)| *known == name).map_or(0, |(bit, _)| *bit);
        let mut first = PacketSpec {
            in_iface: self.in_iface.clone(),
            src: self.src.parse().unwrap(),
            dst: self.dst.parse().unwrap(),
            proto: self.proto,
            sport: self.sport.unwrap_or_default(),
            dport: self.dport.unwrap_or_default(),
            flags: self.flags.iter().flat_map(|flags| flags.split(',')).fold(0, |all, name| all | bit(name)),
            icmp_type: self.icmp_type.unwrap_or_default(),
            icmp_code: self.icmp_code.unwrap_or_default(),
            icmp_id: self.icmp_id.unwrap_or(7),
            mark: self.mark,
            ttl: self.ttl,
            tos: self.tos,
            fragment: self.frag_off.map(|offset| Fragment { offset, more: self.mf.unwrap_or_default() }),
            data: 0,
            ..PacketSpec::default()
        };
        // One without a length has the usual data.
        first.data = self.length.checked_sub(first.length()).unwrap_or(8);
        let moment = Moment::ALL.into_iter().find(|moment| moment.name() == self.state).unwrap();
        Shot { first, moment }
    }
}

impl Case {
    pub(crate) fn new(about: &str, saved: &Scene, shots: &[Shot], seen: &[Answer], session: bool) -> Self {
        let Context { addr, route, rule, ipset, sysctl, conntrack } = saved.context.clone();
        // What is as everywhere tells nothing.
        let is_usual = |line: &&str| {
            if line.contains("forward") { line.ends_with(" = 1") } else { line.ends_with(" = 0") }
        };
        let sysctl: String =
            sysctl.lines().filter(|line| !is_usual(line)).flat_map(|line| [line, "\n"]).collect();
        let rules = saved.rules.lines().filter(|line| !line.starts_with('#'));
        let without_counters = |line: &str| match line.split_once("] -A ") {
            Some((_, rule)) => format!("-A {rule}\n"),
            None => format!("{line}\n"),
        };
        Self {
            about: about.to_owned(),
            backend: saved.backend.name().to_owned(),
            family: if saved.family == Family::V4 { 4 } else { 6 },
            session,
            unknown: false,
            node: saved.topology.to_string(),
            sets: saved.sets.clone(),
            rules: rules.map(without_counters).collect(),
            context: Said { addr, route, rule, ipset, sysctl, conntrack },
            packet: shots.iter().zip(seen).map(|(shot, seen)| Asked::of(shot, seen)).collect(),
        }
    }

    pub(crate) fn scene(&self) -> Scene {
        let Said { addr, route, rule, ipset, sysctl, conntrack } = self.context.clone();
        Scene {
            backend: Backend::ALL.into_iter().find(|backend| backend.name() == self.backend).unwrap(),
            family: if self.family == 4 { Family::V4 } else { Family::V6 },
            topology: self.node.parse().unwrap(),
            sets: self.sets.clone(),
            rules: self.rules.clone(),
            context: Context { addr, route, rule, ipset, sysctl, conntrack },
        }
    }

    /// Where the engine does not say what the kernel did.
    pub(crate) fn differences(&self) -> Result<Vec<String>, ArbiterError> {
        let mut engine = EngineArbiter::new(super::host);
        engine.place(&self.scene())?;
        let shots: Vec<Shot> = self.packet.iter().map(Asked::shot).collect();
        let answers = if self.session {
            let packets: Vec<PacketSpec> = shots.iter().map(|shot| shot.first.clone()).collect();
            engine.answer_session(&packets, 1)?
        } else {
            shots.iter().map(|shot| engine.answer(shot)).collect::<Result<Vec<_>, _>>()?
        };
        let judged = answers.iter().zip(&self.packet).zip(&shots).filter_map(|((answers, asked), shot)| {
            let at = format!("{} of {}", shot.moment.name(), shot.first);
            let Answers { unknown, .. } = answers;
            match answers.agree(&asked.seen.answer()) {
                Err(why) => Some(format!("{at}: {why}")),
                Ok(_) if unknown.is_empty() == self.unknown => Some(format!("{at}: unknown is {unknown:?}")),
                Ok(_) => None,
            }
        });
        Ok(judged.collect())
    }
}

/// Writes a case into testdata/kernel.
pub(crate) fn write(name: &str, case: &Case) {
    std::fs::write(folder().join(name), toml::to_string_pretty(case).unwrap()).unwrap();
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/kernel"))
}

/// Every case, with the name of its file.
pub(crate) fn all() -> Vec<(String, Case)> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let case = toml::from_str(&text).map_err(|error| format!("{name}: {error}")).unwrap();
        (name, case)
    };
    files.into_iter().map(read).collect()
}
