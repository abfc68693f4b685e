use std::io::Write;

use hookwalk::kube::inventory::{Inventory, PortEntry};
use hookwalk::report::ServicesReport;

use super::{kube, services_text};
use crate::args::ServicesArguments;
use crate::{Exit, Failure, diagnostics, input};

pub(crate) fn run(arguments: &ServicesArguments) -> Result<Exit, Failure> {
    let host = input::host(&arguments.input.context, arguments.input.reading.strict)?;
    let (objects, _) = kube::objects(&arguments.objects, &arguments.input.reading)?;
    let objects = (!arguments.objects.is_empty()).then_some(objects);
    let node = match &objects {
        Some(objects) => kube::node(objects, arguments.node.as_deref())?,
        None => None,
    };
    let dumps = input::dumps(&arguments.input.dumps, &arguments.input.reading)?;
    let files = input::names(&arguments.input.dumps);
    let mut inventory = Inventory::read(&dumps, objects.as_ref());
    let prober = kube::prober(dumps, host, &inventory, objects.as_ref(), node);
    diagnostics::print_problems(&files, prober.engine().problems());
    let total = inventory.services.len();
    if !arguments.only.is_empty() {
        inventory.services.retain(|entry| arguments.only.iter().any(|text| is_asked(entry, text)));
    }
    if arguments.json {
        let report = ServicesReport::new(&inventory, &prober);
        super::json(&report)?;
    } else {
        let mut out = std::io::BufWriter::new(anstream::stdout().lock());
        services_text::print(&mut out, &files, &inventory, &prober, total)?;
        out.flush()?;
    }
    Ok(Exit::Done)
}

/// Whether a text is in what a person may know a Service by.
fn is_asked(entry: &PortEntry, text: &str) -> bool {
    let addresses = entry.addresses.iter().map(|a| match a.ip {
        Some(ip) => std::net::SocketAddr::new(ip, a.port).to_string(),
        None => a.port.to_string(),
    });
    let endpoints = entry.endpoints.iter().map(|endpoint| endpoint.address.to_string());
    let names = [Some(entry.to_string()), entry.hash.clone()].into_iter().flatten();
    // The name of a chain may be given whole.
    let text = text
        .rsplit_once('-')
        .filter(|(prefix, _)| prefix.starts_with("KUBE-"))
        .map_or(text, |(_, hash)| hash);
    names.chain(addresses).chain(endpoints).any(|known| known.contains(text))
}
