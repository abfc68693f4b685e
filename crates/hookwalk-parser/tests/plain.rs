//! Rules as iptables-save prints them are read by a way of their own: it finds the same as the one that
//! reads everything.
#![allow(clippy::unwrap_used, reason = "a test may stop where it is wrong")]

use std::path::Path;

use hookwalk_parser::{Dump, Span, parse};
use proptest::prelude::*;

/// The same text with the long name of `-A`, which only the way that reads everything knows.
fn spelled_out(text: &str) -> String {
    let spell = |line: &str| match line.find("-A ") {
        Some(at) if line[..at].bytes().all(|b| b"[:]0123456789 ".contains(&b)) => {
            format!("{}--append {}", &line[..at], &line[at + 3..])
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(spell).collect()
}

/// What a dump says, apart from where in a line it stands.
fn said(dump: &Dump) -> String {
    let mut tables = dump.tables().to_vec();
    for rule in tables.iter_mut().flat_map(|table| &mut table.chains).flat_map(|chain| &mut chain.rules) {
        assert!(!dump.slice(rule.span).is_empty());
        rule.span = Span::default();
        for part in &mut rule.matches {
            if let hookwalk_parser::extensions::Match::Unknown(part) = part {
                part.span = Span::default();
            }
        }
        if let hookwalk_parser::extensions::Target::Unknown(part) = &mut rule.target {
            part.span = Span::default();
        }
    }
    let problems: Vec<_> =
        dump.diagnostics().iter().map(|d| (d.line, d.code, &d.help, d.message.replace("-A", ""))).collect();
    format!("{tables:#?}\n{problems:#?}")
}

fn assert_alike(text: &str) {
    let spelled = spelled_out(text);
    assert_eq!(said(&parse(text)), said(&parse(spelled.as_str())), "{text}");
}

#[test]
fn real_dumps_are_read_alike() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("testdata")];
    folders.extend(["corpus", "kube-proxy"].map(|name| root.join("../shared").join(name)));
    let mut rules = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                // What prompts, quotes and listings put before a rule is not for this test.
                let is_dump =
                    |line: &str| !line.contains("-A ") || line.starts_with("-A ") || line.starts_with('[');
                if text.contains("-A ") && text.lines().all(is_dump) {
                    rules += text.matches("-A ").count();
                    assert_alike(&text);
                }
            }
        }
    }
    assert!(rules > 1_000, "{rules}");
}

/// Parts of rules: those that are printed, and those that are not or not so.
const PARTS: &[&str] = &[
    "-s 10.0.0.0/8",
    "! -s 10.1.2.3/32",
    "-s 10.0.0.1,10.0.0.2",
    "-s fd00::1/128",
    "-s 10.0.0.0/33",
    "-s",
    "-d 10.96.0.1/32",
    "-d 10.96.0.10/255.255.0.255",
    "--destination 10.0.0.1",
    "-d!",
    "! -d ::/0",
    "-p tcp",
    "-p udp",
    "! -p icmp",
    "-p all",
    "! -p all",
    "-p 47",
    "-ptcp",
    "-i eth0",
    "! -i cali+",
    "-i {{name}}",
    "-i $IF",
    "-o lo",
    "-o averylonginterfacename",
    "-f",
    "! -f",
    "-4",
    "-6",
    "-c 1 2",
    "-m tcp",
    "-m udp",
    "-m comment --comment \"a b\"",
    "-m comment --comment plain",
    "-m comment",
    "--comment again",
    "-m comment --comment \"with \\\" escape\"",
    "-m comment --comment \"open",
    "! -m tcp",
    "-m nothing --x 1",
    "--dport 80",
    "! --dport 1:1024",
    "--dport 80 --dport 81",
    "--dport=80",
    "--dpor 80",
    "--sport 65536",
    "--destination-port 1 --dport 2",
    "--tcp-flags SYN,ACK SYN",
    "--syn",
    "! --syn --tcp-flags ALL SYN",
    "-m statistic --mode random --probability 0.50000000000",
    "-m statistic --mode random",
    "-m conntrack --ctstate RELATED,ESTABLISHED",
    "-m conntrack ! --ctstate INVALID",
    "-m mark --mark 0x4000/0x4000",
    "-m mark ! --mark 0x1",
    "-m addrtype --dst-type LOCAL",
    "-m multiport --dports 1,2,3",
    "-m mark -m mark",
    "-m set --match-set x src",
    "-m policy --dir in --pol ipsec --reqid 1 --next --reqid 2",
    "-m \"tcp\"",
    "-m limit --limit 5/min --limit-burst 7",
    "-m iprange --src-range 10.0.0.1-10.0.0.9",
    "-m iprange --src-range ::1-::2",
    "-m recent --rcheck --seconds 10 --reap --name X --mask 255.255.255.255 --rsource",
    "-m string --string \"x y\" --algo bm --to 65535",
    "-j ACCEPT",
    "-j B",
    "-j RETURN",
    "-j NOT-A-CHAIN",
    "-j \"B\"",
    "-g B",
    "-j",
    "-j DNAT --to-destination 10.0.0.5:80",
    "-j DNAT --to-destination [fd00::1]:80",
    "-j DNAT",
    "-j MARK --set-xmark 0x4000/0x4000",
    "-j MARK --set-mark 1",
    "-j MASQUERADE --random-fully",
    "-j LOG --log-prefix \"x=y \" --log-level 7",
    "-j REJECT --reject-with icmp-port-unreachable",
    "-j SNAT --to-source 10.0.0.1",
    "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
    "-j MARK",
    "! -j ACCEPT",
    "--to-destination 1.2.3.4",
    "--random",
    "!",
    "\t",
    "\"",
    "-",
    "--",
    "-x",
    "--next",
    "word",
    "-A",
    "--set-xmark 1",
];

fn line() -> impl Strategy<Value = String> {
    let head = prop::sample::select(vec![
        "-A A",
        "-A B",
        "-A ACCEPT",
        "-A NEW",
        "[1:2] -A A",
        "[x] -A A",
        "-A \"A\"",
        "-A",
    ]);
    let parts = prop::collection::vec(prop::sample::select(PARTS), 0..6);
    let other = prop::sample::select(vec![
        "-X B",
        "-F",
        "-N NEW",
        "-E B C",
        ":A ACCEPT [0:0]",
        "???",
        "-D A 1",
        "COMMIT\n*filter",
    ]);
    prop_oneof![
        9 => (head, parts).prop_map(|(head, parts)| format!("{head} {}", parts.join(" "))),
        1 => other.prop_map(ToOwned::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_rules_are_read_alike(
        lines in prop::collection::vec(line(), 1..12),
        head in prop::sample::select(vec!["", "# Generated by iptables-save v1.8.9 on Sun\n", "# Generated by ip6tables-save v1.8.9 on Sun\n"]),
        end in prop::sample::select(vec!["\n", "\nCOMMIT\n"]),
    ) {
        let text = format!("{head}*nat\n:A - [0:0]\n:B - [0:0]\n:ACCEPT - [0:0]\n{}{end}", lines.join("\n"));
        assert_alike(&text);
    }
}
