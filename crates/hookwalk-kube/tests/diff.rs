//! Dumps compared Service by Service.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what is wrong by failing")]

use hookwalk_kube::diff::{Options, diff};
use hookwalk_kube::finding::Finding;
use hookwalk_kube::inventory::Inventory;
use hookwalk_kube::objects::Objects;
use hookwalk_kube::writer::{Config, KubeProxy, LocalDetector, Version};

fn objects() -> Objects {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/kube-proxy/showcase4-objects.json");
    Objects::read(&std::fs::read_to_string(file).unwrap()).0
}

fn config(version: Version, node: &str) -> Config {
    let mut config = Config::new(version);
    node.clone_into(&mut config.node_name);
    config.local_detector = LocalDetector::Cidr("10.64.0.0/16".parse().unwrap());
    config
}

fn written(config: Config, objects: &Objects) -> Inventory {
    let text = KubeProxy::new(config).rules(&objects.services, &objects.slices).save();
    Inventory::read(&[hookwalk_parser::parse(text)], None)
}

fn compared(a: Inventory, b: Inventory, of_many_nodes: bool) -> Vec<Finding> {
    diff(&[a, b], &["a".to_owned(), "b".to_owned()], &Options { of_many_nodes })
}

fn node(objects: &Objects) -> String {
    objects.nodes[0].name.clone()
}

#[test]
fn the_order_of_services_and_names_of_chains_do_not_count() {
    let objects = objects();
    let mut turned = objects.clone();
    turned.services.reverse();
    turned.slices.reverse();
    let config = || config(Version::V1_30, &node(&objects));
    assert_eq!(compared(written(config(), &objects), written(config(), &turned), false), []);
}

#[test]
fn versions_of_one_layout_do_not_differ() {
    let objects = objects();
    let of = |version| written(config(version, &node(&objects)), &objects);
    assert_eq!(compared(of(Version::V1_27), of(Version::V1_33), false), []);
    let found = compared(of(Version::V1_24), of(Version::V1_25), false);
    assert!(found.iter().all(|finding| finding.code == "setting-differs"), "{found:?}");
}

#[test]
fn every_change_of_a_service_is_told() {
    let before = objects();
    let config = || config(Version::V1_30, &node(&before));
    let change = |edit: &dyn Fn(&mut Objects)| -> Vec<String> {
        let mut after = before.clone();
        edit(&mut after);
        let found = compared(written(config(), &before), written(config(), &after), false);
        found.iter().map(|finding| format!("{} {}", finding.code, finding.message)).collect()
    };
    let service =
        |objects: &mut Objects, name: &str| objects.services.iter().position(|s| s.name == name).unwrap();
    let told = change(&|o| {
        let at = service(o, "sticky");
        o.services[at].affinity_seconds = Some(60);
    });
    assert_eq!(
        told,
        ["affinity-differs the affinity of `demo/sticky:http` (tcp) is 10800 s in a and 60 s in b"]
    );
    let told = change(&|o| {
        let at = service(o, "lb-ranges");
        o.services[at].source_ranges.pop();
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("source-ranges-differ "), "{told:?}");
    let told = change(&|o| {
        let at = service(o, "web-nodeport");
        o.services[at].ports[0].node_port = Some(30081);
    });
    assert_eq!(
        told,
        [
            "address-differs `demo/web-nodeport:http` (tcp) has node port 30080 in a alone",
            "address-differs `demo/web-nodeport:http` (tcp) has node port 30081 in b alone",
        ]
    );
    let told = change(&|o| {
        let slice = o.slices.iter_mut().find(|slice| slice.service == "web-nodeport").unwrap();
        slice.endpoints.pop();
    });
    assert_eq!(
        told,
        ["endpoint-differs `demo/web-nodeport:http` (tcp) has endpoint 10.64.2.3:8080 in a alone"]
    );
    let told = change(&|o| {
        let at = service(o, "sctp");
        o.services.remove(at);
    });
    assert_eq!(told, ["service-differs `demo/sctp:s1ap` (sctp) is in a alone"]);
    let told = change(&|o| {
        let at = service(o, "web-nodeport");
        o.services[at].external_policy = hookwalk_kube::objects::TrafficPolicy::Local;
    });
    let policy =
        "policy-differs the external policy of `demo/web-nodeport:http` (tcp) is Cluster in a and Local in b";
    assert!(told.iter().any(|told| told == policy), "{told:?}");
}

#[test]
fn nodes_differ_in_what_is_their_own_alone() {
    let objects = objects();
    let others: Vec<&str> =
        objects.slices.iter().flat_map(|s| &s.endpoints).filter_map(|e| e.node.as_deref()).collect();
    let own = node(&objects);
    let other = others.into_iter().find(|other| *other != own).unwrap();
    let [a, b] = [own.as_str(), other].map(|node| written(config(Version::V1_30, node), &objects));
    assert!(!compared(a.clone(), b.clone(), false).is_empty());
    assert_eq!(compared(a, b, true), []);
}

#[test]
fn the_decimals_of_a_version_are_no_difference() {
    let objects = objects();
    let rules =
        KubeProxy::new(config(Version::V1_30, &node(&objects))).rules(&objects.services, &objects.slices);
    let text = rules.save();
    let seventh = "--probability 0.14285714272";
    assert!(text.contains(seventh));
    let read = |text: &str| Inventory::read(&[hookwalk_parser::parse(text)], Some(&objects));
    let with = |other: &str| compared(read(&text), read(&text.replace(seventh, other)), false);
    assert_eq!(with("--probability 0.14286000011"), []);
    assert!(!with("--probability 0.14300000016").is_empty());
}
