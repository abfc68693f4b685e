//! What the commands about Services have in common.

use std::io::Write;
use std::path::PathBuf;

use hookwalk::kube::inventory::Inventory;
use hookwalk::kube::objects::{Node, Objects};
use hookwalk::kube::settings::Settings;
use hookwalk::kube::vantage::Prober;
use hookwalk::{Dump, Host, RuleRef};

use crate::args::Reading;
use crate::{Failure, input};

/// Reads objects, and tells which of them could not be.
pub(crate) fn objects(files: &[PathBuf], reading: &Reading) -> Result<(Objects, usize), Failure> {
    let mut objects = Objects::default();
    let mut errors = 0;
    for file in files {
        let text = input::text(file)?;
        let (read, lost) = Objects::read(&text);
        let mut out = anstream::stderr().lock();
        for error in &lost {
            let _ = writeln!(out, "{}: {error}", input::name(file));
        }
        if read == Objects::default() && !lost.is_empty() {
            return Err(Failure::input(format!("nothing in `{}` can be used", input::name(file))));
        }
        errors += lost.len();
        objects.extend(read);
    }
    if reading.strict && errors > 0 {
        return Err(Failure::input("the objects have errors, and --strict was given"));
    }
    Ok((objects, errors))
}

/// The Node of this name, which must be there.
pub(crate) fn node<'o>(objects: &'o Objects, name: Option<&str>) -> Result<Option<&'o Node>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let names: Vec<&str> = objects.nodes.iter().map(|node| node.name.as_str()).collect();
    match objects.node(name) {
        None if !names.is_empty() => Err(Failure::usage(format!(
            "no Node `{name}` among the objects: they have {}",
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ))),
        found => Ok(found),
    }
}

/// The engine that asks, with the addresses that stand for senders.
pub(crate) fn prober(
    dumps: Vec<Dump>,
    host: Host,
    inventory: &Inventory,
    objects: Option<&Objects>,
    node: Option<&Node>,
) -> Prober {
    let others = objects.map_or(&[][..], |objects| &objects.nodes);
    Prober::new(dumps, host, inventory, node, others)
}

/// kube-proxy's settings, one line a family.
pub(crate) fn print_settings(
    out: &mut impl Write,
    settings: &[Settings],
    prober: &Prober,
) -> std::io::Result<()> {
    for settings in settings {
        let version = settings.layout.map_or_else(|| "of an unknown version".to_owned(), |l| l.to_string());
        let detector = settings.detector.map_or_else(|| "not told apart".to_owned(), |d| d.to_string());
        writeln!(out, "{} rules of kube-proxy {version}", settings.family)?;
        writeln!(out, "  Pods' traffic     {detector}")?;
        if settings.masquerade_all {
            writeln!(out, "  cluster IPs       masqueraded wherever a packet comes from")?;
        }
        writeln!(out, "  node ports        {}", settings.node_ports)?;
        let mark = settings.masquerade_mark.map_or_else(|| "none".to_owned(), |mark| format!("{mark:#x}"));
        writeln!(out, "  masquerade mark   {mark}")?;
        let places = prober.places(settings.family);
        let made_up =
            if places.node_is_made_up { " (stands for it: --node-ip or --addr would tell)" } else { "" };
        writeln!(out, "  walked from       Pod {} by {}", places.pod, places.pod_interface)?;
        writeln!(out, "                    this node {}{made_up}", places.node)?;
        writeln!(out, "                    another node {}, outside {}", places.other_node, places.outside)?;
    }
    Ok(())
}

/// The line of a rule, with its file where there are several.
pub(crate) fn line(files: &[String], rule: &RuleRef) -> String {
    match (rule.line, files.get(rule.dump)) {
        (None, _) => rule.to_string(),
        (Some(line), Some(file)) if files.len() > 1 => format!("{file}:{line}"),
        (Some(line), _) => format!("line {line}"),
    }
}
