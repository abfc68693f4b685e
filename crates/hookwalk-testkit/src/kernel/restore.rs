//! Loading and saving rules by the real commands.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use hookwalk_parser::types::Family;

use super::error::Error;
use crate::arbiter::Backend;

/// `AF_INET`, `AF_INET6`.
pub(super) fn address_family(family: Family) -> u8 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

/// The command that loads.
pub(super) fn restore(backend: Backend, family: Family) -> &'static str {
    match (backend, family) {
        (Backend::Legacy, Family::V4) => "iptables-legacy-restore",
        (Backend::Nft, Family::V4) => "iptables-nft-restore",
        (Backend::Legacy, Family::V6) => "ip6tables-legacy-restore",
        (Backend::Nft, Family::V6) => "ip6tables-nft-restore",
    }
}

/// The command that prints.
pub(super) fn save(backend: Backend, family: Family) -> &'static str {
    match (backend, family) {
        (Backend::Legacy, Family::V4) => "iptables-legacy-save",
        (Backend::Nft, Family::V4) => "iptables-nft-save",
        (Backend::Legacy, Family::V6) => "ip6tables-legacy-save",
        (Backend::Nft, Family::V6) => "ip6tables-nft-save",
    }
}

/// Arguments of a restore: wait for the lock that all legacy commands of a machine share (nft has none,
/// and passes over this).
pub(super) const PATIENT: [&str; 2] = ["-w", "60"];

/// The tables that a restore text opens.
pub(super) fn tables(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.strip_prefix('*')).map(|name| name.trim().to_owned()).collect()
}

/// Restore text that leaves a table with nothing but its base chains.
pub(super) fn empty(table: &str) -> String {
    let chains: &[&str] = match table {
        "raw" => &["PREROUTING", "OUTPUT"],
        "nat" => &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
        "mangle" => &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
        _ => &["INPUT", "FORWARD", "OUTPUT"],
    };
    let mut text = format!("*{table}\n");
    for chain in chains {
        text.extend([":", chain, " ACCEPT [0:0]\n"]);
    }
    text + "COMMIT\n"
}

/// Runs a command, feeds it `input`, and returns what it printed. It inherits the calling thread's namespace.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, Error> {
    let command = || [&[program], arguments].concat().join(" ");
    let failed = |message: String| Error::Command { command: command(), message };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    // The commands that are run here read all of their input before they print, or read none.
    let fed = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{} ({})", message.trim(), output.status)));
    }
    fed.map_err(|error| failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        assert_eq!(run("cat", &[], "in\n").unwrap(), "in\n");
        let error = run("cat", &["/nonexistent"], "").unwrap_err();
        assert!(error.to_string().starts_with("`cat /nonexistent` failed: cat:"), "{error}");
        assert!(run("no-such-program", &[], "").is_err());
    }

    #[test]
    fn tables_of_a_text() {
        assert_eq!(tables("*nat\nCOMMIT\n# *x\n*filter\nCOMMIT\n").len(), 2);
        assert!(empty("raw").starts_with("*raw\n:PREROUTING ACCEPT [0:0]\n"));
    }
}
