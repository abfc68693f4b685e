use std::io::Write;

use hookwalk::kube::verify::{Options, Verifier};
use hookwalk::report::{FindingReport, SettingsReport, findings};
use serde_json::json;

use super::{findings_text, kube};
use crate::args::VerifyArguments;
use crate::{Exit, Failure, diagnostics, input};

pub(crate) fn run(arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let host = input::host(&arguments.input.context, arguments.input.reading.strict)?;
    let (objects, lost) = kube::objects(&arguments.objects, &arguments.input.reading)?;
    if lost > 0 {
        // Rules of an object that was left out would be called stale.
        return Err(Failure::input("objects that cannot be read cannot be compared with the rules"));
    }
    kube::node(&objects, arguments.node.as_deref())?;
    let dumps = input::dumps(&arguments.input.dumps, &arguments.input.reading)?;
    let files = input::names(&arguments.input.dumps);
    let options = Options {
        node: arguments.node.clone(),
        cluster_cidrs: arguments.cluster_cidr.clone(),
        masquerade_all: arguments.masquerade_all,
        nodeport_addresses: arguments.nodeport_addresses.clone(),
    };
    let verifier = Verifier::new(dumps, host, &objects, &options);
    diagnostics::print_problems(&files, verifier.prober().engine().problems());
    if verifier.settings().is_empty() {
        return Err(Failure::input("no rules of kube-proxy: there is no chain KUBE-SERVICES in a nat table"));
    }
    let found = verifier.findings();
    if arguments.json {
        let settings: Vec<SettingsReport> = verifier.settings().iter().map(SettingsReport::new).collect();
        let findings: Vec<FindingReport> = findings(&found, files.len()).findings;
        let report = json!({"schema": 1, "settings": settings, "findings": findings});
        super::json(&report)?;
    } else {
        let mut out = std::io::BufWriter::new(anstream::stdout().lock());
        kube::print_settings(&mut out, verifier.settings(), verifier.prober())?;
        match &arguments.node {
            Some(node) => writeln!(out, "  endpoints here    those of node {node}")?,
            None => {
                writeln!(
                    out,
                    "  endpoints here    not known without --node: what depends on it is not checked"
                )?;
            }
        }
        writeln!(out)?;
        findings_text::print(&mut out, &files, verifier.prober().engine().dumps(), &found)?;
        if found.is_empty() {
            let ports = verifier.inventory().services.len();
            writeln!(out, "the rules are as the objects ask: {ports} service ports")?;
        } else {
            writeln!(out, "{}", findings_text::counts(&found))?;
        }
        out.flush()?;
    }
    Ok(if findings_text::matter(&found) { Exit::No } else { Exit::Done })
}
