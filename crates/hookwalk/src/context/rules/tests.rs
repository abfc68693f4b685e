use super::*;

const TEXT: &str = "\
# ip rule
0:	from all lookup local
46:	from all fwmark 0x7 lookup uplink realms 3 proto static
48:	from all tos 0x10 lookup 77
50:	from 10.3.0.1 blackhole
51:	from 10.3.0.2 unreachable
52:	from all prohibit
53:	from all goto 32766
54:	from all nop
55:	from all goto 70 [unresolved]
60:	from all lookup [l3mdev-table]
61:	not from 10.0.0.0/8 ipproto tcp lookup 100
62:	from 10.9.0.0/16 iif nosuch [detached] oif d1 [detached] lookup 77
63:	not from 10.0.0.0/8 to 10.1.0.0/16 fwmark 0x101/0xff iif d0 lookup 100
32766:	from all lookup main
";

const JSON: &str = r#"[{"priority":0,"src":"all","table":"local"},
{"priority":46,"src":"all","fwmark":"0x7","table":"uplink","flow_to":"3","protocol":"static"},
{"priority":48,"src":"all","tos":"0x10","table":"77"},{"priority":50,"src":"10.3.0.1","action":"blackhole"},
{"priority":51,"src":"10.3.0.2","action":"unreachable"},{"priority":52,"src":"all","action":"prohibit"},
{"priority":53,"src":"all","goto":32766},{"priority":54,"src":"all","nop":null},
{"priority":55,"src":"all","goto":70,"unresolved":null},{"priority":60,"src":"all","l3mdev":null},
{"priority":61,"not":null,"src":"10.0.0.0","srclen":8,"ipproto":"tcp","table":"100"},
{"priority":62,"src":"10.9.0.0","srclen":16,"iif":"nosuch","iif_detached":null,"oif":"d1","oif_detached":null,"table":"77"},
{"priority":63,"not":null,"src":"10.0.0.0","srclen":8,"dst":"10.1.0.0","dstlen":16,"fwmark":"0x101","fwmask":"0xff","iif":"d0","table":"100"},
{"priority":32766,"src":"all","table":"main"},{}]"#;

#[test]
fn both_forms_say_the_same() {
    let (from_text, from_json) = (rules(TEXT), rules(JSON));
    assert_eq!(from_text.0, from_json.0);
    let last_words = |errors: Vec<ContextError>| errors.len();
    assert_eq!((last_words(from_text.1), last_words(from_json.1)), (5, 5));
}

#[test]
fn selectors_and_actions() {
    let (rules, errors) = rules(TEXT);
    let by = |priority: u32| rules.iter().find(|rule| rule.priority == priority);
    assert!(by(54).is_none() && by(55).is_none());
    let unknown: Vec<u32> =
        rules.iter().filter(|rule| rule.action == RoutingAction::Unknown).map(|rule| rule.priority).collect();
    assert_eq!(unknown, [48, 53, 60, 61, 62]);
    assert_eq!(by(50).unwrap().action, RoutingAction::Blackhole);
    assert_eq!(by(46).unwrap().action, RoutingAction::Lookup(crate::context::route_table("uplink")));
    // An unknown selector under `not` may hold for any packet; else the known ones still tell.
    assert_eq!(by(61).unwrap(), &Draft::new(61).rule);
    assert_eq!(by(62).unwrap().from, Some(("10.9.0.0".parse().unwrap(), 16)));
    let full = by(63).unwrap();
    assert!(full.not);
    assert_eq!(full.to, Some(("10.1.0.0".parse().unwrap(), 16)));
    assert_eq!(full.fwmark, Some(MarkMask { value: 1, mask: 0xff }));
    assert_eq!(full.in_interface, Some("d0".parse().unwrap()));
    assert_eq!(
        errors[0].to_string(),
        "4:14: `tos` is not supported: what this rule does is taken for unknown"
    );
}

#[test]
fn a_bad_rule_is_unknown_and_the_others_stand() {
    let (rules, errors) = rules(
        "what\n1:\n2: from 10.0.0.0/40 lookup 5\n3: fwmark x lookup 5\n4: from all lookup\n5: from all lookup 5\n",
    );
    let actions: Vec<_> = rules.iter().map(|rule| rule.action).collect();
    let unknown = RoutingAction::Unknown;
    assert_eq!(
        actions,
        [unknown, unknown, unknown, unknown, RoutingAction::Lookup(hookwalk_engine::RouteTableId(5))]
    );
    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "1:1: `what` is not the start of a routing rule such as `32766:`",
            "2:1: `1:` does nothing that is understood, expected `lookup` and a table",
            "3:9: `10.0.0.0/40` is not an address or prefix such as 10.0.0.0/8",
            "4:11: `x` is not a mark such as 0x1 or 0x1/0xff",
            "5:13: `lookup` stands alone, expected a value behind it",
        ]
    );
}
