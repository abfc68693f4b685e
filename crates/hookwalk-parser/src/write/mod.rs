//! A [`Dump`] to bytes, from its typed fields alone.

mod rule;
mod unknown;

use rustc_hash::FxHashSet;

use self::rule::RuleWriter;
use crate::types::Family;
use crate::{Backend, Chain, Counters, Dump, Policy, Table, TableEnd};

impl Dump {
    /// The dump as iptables-save 1.8.9 would print it after it was restored, in the dump's own backend
    /// and family: options in the tool's order, with its defaults, one line a rule.
    ///
    /// A rule with a part that was not understood stands as it was read, or with that part in quotes
    /// where its text would be read otherwise. Where the real tool loses meaning (`! -i +` of legacy,
    /// `! --dport 0:65535`), the meaning stays. Comments and times of the dump are left out. Rules that
    /// stood under no table's header stand so here, as `iptables -S` prints them, behind a comment with
    /// that command.
    ///
    /// ```
    /// let dump = hookwalk_parser::parse("*filter\n:X - [0:0]\n-A X -p tcp --dport 80 -j MARK --or-mark 4\nCOMMIT\n");
    /// let text = String::from_utf8(dump.canonical()).unwrap();
    /// assert!(text.contains("-A X -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x4/0x4\n"));
    /// ```
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text().len());
        let mut before = Before::default();
        for table in self.tables() {
            self.write_table(table, &mut before, &mut out);
        }
        out
    }

    fn write_table<'d>(&'d self, table: &'d Table, before: &mut Before<'d>, out: &mut Vec<u8>) {
        let chains = in_order(table);
        // iptables-nft makes no table out of a header alone.
        let is_nft = table.backend == Some(Backend::Nft);
        if is_nft && chains.is_empty() && table.end == TableEnd::Commit {
            return;
        }
        let told = table.family.map(|family| (family, table.backend));
        match table.end {
            TableEnd::Incompatible => {
                out.extend_from_slice(b"# Table `");
                out.extend_from_slice(table.name.as_bytes());
                out.extend_from_slice(b"' is incompatible, use 'nft' tool.\n");
                return;
            }
            TableEnd::Fragment => {
                let mut list = Vec::new();
                write_declarations(table, &chains, &mut list);
                // The line before the list says anew whose it is, or that nothing tells.
                RuleWriter::new(self, table, chains, told).write(&mut list);
                if !list.is_empty() {
                    write_command(table, out);
                    before.starts_output(told);
                    out.append(&mut list);
                }
                return;
            }
            TableEnd::Commit | TableEnd::Missing => {
                let goes_on = before.open.contains(table.name.as_bytes());
                match told {
                    Some((family, backend)) if goes_on || before.origin != told => {
                        before.starts_output(told);
                        write_origin(family, backend, out);
                    }
                    None if goes_on => {
                        before.starts_output(None);
                        write_table_name(table, out);
                    }
                    _ => {}
                }
                if table.end == TableEnd::Missing {
                    before.open.insert(table.name.as_bytes());
                }
                write_header(table, &chains, out);
            }
        }
        RuleWriter::new(self, table, chains, told.or(before.origin)).write(out);
        if table.end == TableEnd::Commit {
            out.extend_from_slice(b"COMMIT\n");
        }
    }
}

impl RuleWriter<'_> {
    /// What stands before the rules, so that whoever reads it knows as much of the table.
    fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.table.end == TableEnd::Fragment {
            write_command(self.table, &mut out);
            write_declarations(self.table, &self.chains, &mut out);
        } else {
            if let Some((family, backend)) = self.origin {
                write_origin(family, backend, &mut out);
            }
            write_header(self.table, &self.chains, &mut out);
        }
        out
    }
}

/// Family and backend as a header tells them.
type Origin = (Family, Option<Backend>);

/// What whoever reads the text knows from the tables before.
#[derive(Default)]
struct Before<'d> {
    /// What the last header told of family and backend: the tables behind it are taken for the same.
    origin: Option<Origin>,
    /// The tables that stand behind that header without `COMMIT`: one of the same name would go on.
    open: FxHashSet<&'d [u8]>,
}

impl Before<'_> {
    fn starts_output(&mut self, origin: Option<Origin>) {
        self.origin = origin;
        self.open.clear();
    }
}

/// Built-in chains as packets meet them, then the others by name, as iptables-save sorts them.
fn in_order(table: &Table) -> Vec<&Chain> {
    let rank = |chain: &&Chain| table.builtin_chains().iter().position(|name| *name == chain.name.as_bytes());
    let mut chains: Vec<&Chain> = table.chains.iter().collect();
    chains.sort_by(|a, b| {
        let key = |chain: &&Chain| rank(chain).unwrap_or(usize::MAX);
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
    });
    chains
}

/// The line that tells family and backend, without the time that iptables-save adds.
fn write_origin(family: Family, backend: Option<Backend>, out: &mut Vec<u8>) {
    let program = match family {
        Family::V4 => "iptables-save",
        Family::V6 => "ip6tables-save",
    };
    let version = match backend {
        None => "",
        Some(Backend::Legacy) => " v1.8.9",
        Some(Backend::Nft) => " v1.8.9 (nf_tables)",
    };
    out.extend_from_slice(format!("# Generated by {program}{version}\n").as_bytes());
}

/// `*TABLE` and its chains.
fn write_header(table: &Table, chains: &[&Chain], out: &mut Vec<u8>) {
    out.push(b'*');
    out.extend_from_slice(table.name.as_bytes());
    out.push(b'\n');
    let mut line = |name: &[u8], policy: &str, counters: Option<Counters>| {
        out.push(b':');
        out.extend_from_slice(name);
        out.extend_from_slice(format!(" {policy} {}\n", counters.unwrap_or_default()).as_bytes());
    };
    if table.end == TableEnd::Commit {
        // Restoring makes the built-in chains that the dump leaves out.
        for name in table.builtin_chains() {
            match chains.iter().find(|chain| chain.name.as_bytes() == *name) {
                Some(chain) => {
                    line(name, &chain.policy.unwrap_or(Policy::Accept).to_string(), chain.counters);
                }
                None => line(name, "ACCEPT", None),
            }
        }
    } else {
        for chain in
            chains.iter().filter(|chain| chain.line.is_some() && table.is_builtin(chain.name.as_bytes()))
        {
            line(chain.name.as_bytes(), &chain.policy.unwrap_or(Policy::Accept).to_string(), chain.counters);
        }
    }
    for chain in chains.iter().filter(|chain| !table.is_builtin(chain.name.as_bytes())) {
        // A name with a blank in it cannot stand behind a colon.
        if chain.name.as_bytes().iter().any(|b| matches!(b, b' ' | b'\t')) || chain.name.as_bytes().is_empty()
        {
            out.extend_from_slice(b"-N ");
            rule::word(chain.name.as_bytes(), out);
            out.push(b'\n');
            continue;
        }
        out.push(b':');
        out.extend_from_slice(chain.name.as_bytes());
        out.extend_from_slice(b" - [0:0]\n");
    }
}

/// The command that would print the list: it tells table, family and backend as a header would.
fn write_command(table: &Table, out: &mut Vec<u8>) {
    let program = match table.family {
        None => return write_table_name(table, out),
        Some(Family::V4) => "iptables",
        Some(Family::V6) => "ip6tables",
    };
    let backend = match table.backend {
        None => "",
        Some(Backend::Legacy) => "-legacy",
        Some(Backend::Nft) => "-nft",
    };
    out.extend_from_slice(format!("# {program}{backend} -t ").as_bytes());
    out.extend_from_slice(table.name.as_bytes());
    out.extend_from_slice(b" -S\n");
}

/// The line that some programs print before a table, which tells nothing of family and backend.
fn write_table_name(table: &Table, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Table: ");
    out.extend_from_slice(table.name.as_bytes());
    out.push(b'\n');
}

/// `-P` and `-N`, as `iptables -S` declares chains: rules alone do not make one.
fn write_declarations(table: &Table, chains: &[&Chain], out: &mut Vec<u8>) {
    for chain in chains {
        let is_builtin = table.is_builtin(chain.name.as_bytes());
        let policy = match (is_builtin, chain.policy.filter(|_| chain.line.is_some())) {
            (false, _) => None,
            (true, Some(policy)) => Some(policy),
            (true, None) => continue,
        };
        out.extend_from_slice(if is_builtin { b"-P " } else { b"-N " });
        rule::word(chain.name.as_bytes(), out);
        if let Some(policy) = policy {
            out.extend_from_slice(format!(" {policy}").as_bytes());
            if let Some(Counters { packets, bytes }) = chain.counters {
                out.extend_from_slice(format!(" -c {packets} {bytes}").as_bytes());
            }
        }
        out.push(b'\n');
    }
}
