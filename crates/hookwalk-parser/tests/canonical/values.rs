//! The values that stand as `<name>` in the templates.

use hookwalk_parser::types::Family;

use crate::grammar::Dice;

#[rustfmt::skip]
const NET4: &[&str] = &[
    "10.1.2.3", "10.1.2.3/32", "10.1.2.3/24", "10.0.0.0/8", "172.16.5.9/255.255.240.0", "192.0.2.129/25",
    "10.0.0.5/255.0.255.0", "0.0.0.0/0", "0/0", "0.0.0.0/32", "255.255.255.255", "198.51.100.7/31",
];
#[rustfmt::skip]
const NET6: &[&str] = &[
    "fd00::5", "fd00::5/64", "::/0", "::/128", "fd00::/ffff:0:ffff::", "::ffff:1.2.3.4", "2001:db8::1/127",
    "fe80::1/10", "FD00:0:0:1::/64", "2001:db8:0:0:1:0:0:1", "::1", "ff02::fb/16",
];

/// A value of this name; text that is the same for every draw never comes here.
pub(crate) fn value(name: &str, family: Family, dice: &mut Dice) -> String {
    let is_v4 = family == Family::V4;
    match name {
        "!" => dice.one(&["", "", "! "]).into(),
        "net4" => dice.one(NET4).into(),
        "net6" => dice.one(NET6).into(),
        "net" => dice.one(if is_v4 { NET4 } else { NET6 }).into(),
        "whole" => {
            dice.one(if is_v4 { &["10.0.0.0/24", "10.9.0.0/16"] } else { &["fd00::/64", "fd01::/48"] }).into()
        }
        "addr" if is_v4 => format!("10.{}.0.{}", dice.below(3), dice.below(255) + 1),
        "addr" => format!("fd00::{:x}:{:x}", dice.below(3), dice.below(65_000) + 1),
        "range4" => {
            format!("10.0.{0}.{1}-10.0.{0}.{2}", dice.below(9), dice.below(100), 100 + dice.below(150))
        }
        "range6" => format!("fd00::{:x}-fd00::{:x}", dice.below(99) + 1, 100 + dice.below(999)),
        "range" => match (dice.below(4), is_v4) {
            (0, _) => value("addr", family, dice),
            (_, true) => value("range4", family, dice),
            (_, false) => value("range6", family, dice),
        },
        "mask" if is_v4 => dice.one(&["255.255.255.255", "255.255.0.0", "255.0.255.0", "0.0.0.0"]).into(),
        "mask" => dice
            .one(&["ffff:ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::", "ffff:0:ffff::"])
            .into(),
        "iface" => {
            dice.one(&["eth0", "eth+", "cali+", "lo", "veth1234567890a", "wg-x", "br_0.5", "e'x"]).into()
        }
        "proto" => dice.one(&["tcp", "udp", "sctp", "gre", "esp", "47", "200", "UDP", "255", "vrrp"]).into(),
        "n8" => dice.one(&[0, 1, 5, 63, 64, 128, 200, 255]).to_string(),
        "n16" => [0, 1, dice.below(100), dice.below(65_536), 65_535][dice.below(5)].to_string(),
        "n32" => [0, 1, dice.below(65_536), dice.below(0xffff_ffff), 0xffff_ffff][dice.below(5)].to_string(),
        "small" => (dice.below(50) + 1).to_string(),
        "hex16" => format!("{:#x}", dice.below(65_536)),
        "hex32" => format!("{:#x}", [0, 1, 0x4000, dice.below(0xffff_ffff), 0xffff_ffff][dice.below(5)]),
        "markmask" => match dice.below(4) {
            0 => value("hex32", family, dice),
            1 => dice.below(1000).to_string(),
            _ => format!("{}/{}", value("hex32", family, dice), value("hex32", family, dice)),
        },
        "ports" | "range16" => match dice.below(6) {
            0 => format!(":{}", dice.below(65_536)),
            1 => format!("{}:", dice.below(65_536)),
            2 | 3 => {
                let first = dice.below(60_000);
                format!("{first}:{}", first + dice.below(5_000))
            }
            4 => dice.one(&["0:65535", "80", "0", "65535", "443:443"]).into(),
            _ => dice.below(65_536).to_string(),
        },
        "spis" => match dice.below(5) {
            0 => format!(":{}", dice.below(90_000)),
            1 => format!("{}:", dice.below(90_000)),
            2 => "0:4294967295".into(),
            3 => format!("{}:{}", dice.below(90), 100 + dice.below(90_000)),
            _ => value("n32", family, dice),
        },
        "packets" => match dice.below(4) {
            0 => format!(":{}", dice.below(90_000)),
            1 => format!("{}:", dice.below(90_000)),
            2 => format!("{}:{}", dice.below(90), 100 + dice.below(90_000_000)),
            _ => dice.below(90_000).to_string(),
        },
        "nport" => match dice.below(2) {
            0 => (dice.below(65_535) + 1).to_string(),
            _ => {
                let first = dice.below(60_000) + 1;
                format!("{first}-{}", first + dice.below(5_000))
            }
        },
        "portlist" => {
            let mut list = Vec::new();
            for _ in 0..=dice.below(5) {
                let first = dice.below(60_000);
                list.push(match dice.below(3) {
                    0 => format!("{first}:{}", first + 1 + dice.below(5_000)),
                    _ => first.to_string(),
                });
            }
            list.join(",")
        }
        "rate" => {
            let (most, unit) = dice.one(&[
                (10_000, "/sec"),
                (1_000, "/second"),
                (1_000, "/s"),
                (3_000, "/min"),
                (100, "/minute"),
                (3_000, "/hour"),
                (300, "/day"),
                (100, ""),
            ]);
            format!("{}{unit}", dice.below(most) + 1)
        }
        "burst" => dice.one(&[1, 5, 7, 100, 10_000]).to_string(),
        "bytes" => {
            let unit = dice.one(&["b", "kb", "mb"]);
            format!("{}{unit}", dice.below(900) + 1)
        }
        "states" => dice.fill(" ,{NEW|ESTABLISHED|RELATED|INVALID|UNTRACKED|SNAT|DNAT}", family),
        "ctstatus" => dice.fill(" {NONE|,{EXPECTED|SEEN_REPLY|ASSURED|CONFIRMED}}", family),
        "types" => dice.fill(
            " ,{UNSPEC|UNICAST|LOCAL|BROADCAST|ANYCAST|MULTICAST|BLACKHOLE|UNREACHABLE|PROHIBIT}",
            family,
        ),
        "tcpflags" => dice.fill(" {ALL|NONE|,{FIN|SYN|RST|PSH|ACK|URG}}", family),
        "text" => dice
            .one(&[
                r#""a b""#,
                "plain",
                r#""it's \"q\" \\ x""#,
                r#""""#,
                r#""-j ACCEPT""#,
                "-j",
                "a_b-c",
                r#""ns/svc:port""#,
                r#""ü → ö""#,
                r#""two  blanks ""#,
                "a.b",
                "$x%y",
                r##""#x; !""##,
            ])
            .into(),
        "prefix" => dice.one(&[r#""a b ""#, "plain", r#""IN: ""#, r#""it's \"q\" \\""#, "x.y", "-p"]).into(),
        "pattern" => dice
            .one(&[r#""foo bar""#, "GET", r#""it's""#, r#""ends\\""#, r#""a|b\\c""#, r#""é""#, r#""\"q\"""#])
            .into(),
        "hexpattern" => dice
            .one(&[r#""|0d0a|""#, r#""|de ad|xyz""#, r#""abc|20|def""#, r#""|00|""#, "abc", r#""|41 42|""#])
            .into(),
        "date" => dice
            .one(&[
                "2020",
                "2020-05",
                "2021-12-31",
                "2020-01-02T03:04:05",
                "2037-01-01T00:00",
                "1999-12-31T23:59:59",
            ])
            .into(),
        "daytime" => dice.one(&["00:00", "08:00", "10:00:30", "12:30:15", "23:59:59", "01:00"]).into(),
        other => panic!("`<{other}>` is no value of the templates"),
    }
}
