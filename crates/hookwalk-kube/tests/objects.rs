//! What kubectl prints, read.

use hookwalk_kube::objects::{AddressType, IpMode, Objects, TargetPort, TrafficPolicy};
use hookwalk_parser::types::Protocol;

const SERVICE: &str = r#"{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":"web",
  "managedFields":[{"manager":"x"}],"labels":{"service.kubernetes.io/service-proxy-name":"other"}},
 "spec":{"type":"LoadBalancer","clusterIP":"10.96.0.7","clusterIPs":["10.96.0.7","fd00:96::7"],
  "ports":[{"name":"http","port":80,"targetPort":"web","nodePort":30080},{"name":"sctp","protocol":"SCTP","port":9}],
  "externalIPs":["192.0.2.7"],"loadBalancerSourceRanges":["198.51.100.0/24 "],"sessionAffinity":"ClientIP",
  "externalTrafficPolicy":"Local","internalTrafficPolicy":"Local","healthCheckNodePort":32000},
 "status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.7","ipMode":"Proxy"},{"hostname":"lb.example"},{"ip":"203.0.113.8"}]}}}"#;

const SLICE: &str = r#"{"kind":"EndpointSlice","metadata":{"namespace":"shop","name":"web-x",
  "labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","ports":[{"name":"http","port":8080},{"name":"any"}],
 "endpoints":[{"addresses":["010.0.0.01"],"conditions":{"ready":false,"serving":true,"terminating":true},"nodeName":"node-a"},
  {"addresses":["10.0.0.2"],"conditions":{},"topology":{"kubernetes.io/hostname":"node-b"},"hints":{"forZones":[{"name":"z1"}]}},
  {"addresses":["10.0.0.3"],"conditions":{"ready":null}}]}"#;

#[test]
fn a_service_has_every_field_that_rules_are_made_of() {
    let (objects, errors) = Objects::read(SERVICE);
    assert_eq!(errors, []);
    let web = objects.service("shop", "web").unwrap();
    assert_eq!(web.cluster_ips.len(), 2);
    assert_eq!(web.ports[0].target, Some(TargetPort::Name("web".into())));
    assert_eq!((web.ports[1].protocol, web.ports[1].node_port), (Protocol::SCTP, None));
    assert_eq!(web.external_ips[0].to_string(), "192.0.2.7");
    let balancer: Vec<_> = web.load_balancer.iter().map(|i| (i.ip.to_string(), i.mode)).collect();
    assert_eq!(
        balancer,
        [("203.0.113.7".to_owned(), IpMode::Proxy), ("203.0.113.8".to_owned(), IpMode::Vip)]
    );
    assert_eq!(web.source_ranges[0].to_string(), "198.51.100.0/24");
    assert_eq!(web.affinity_seconds, Some(10_800));
    assert_eq!((web.external_policy, web.internal_policy), (TrafficPolicy::Local, TrafficPolicy::Local));
    assert_eq!(web.health_check_node_port, Some(32000));
    assert!(!web.is_proxied(), "another program serves it");
}

#[test]
fn a_slice_keeps_conditions_nodes_and_how_addresses_were_written() {
    let (objects, errors) = Objects::read(SLICE);
    assert_eq!(errors, []);
    let slice = &objects.slices[0];
    assert_eq!((slice.service.as_str(), slice.address_type), ("web", AddressType::Ipv4));
    assert_eq!(slice.ports.len(), 1, "a port without a number is left out");
    let [first, second, third] = slice.endpoints.as_slice() else { panic!("{slice:?}") };
    assert_eq!(
        (first.address.to_string().as_str(), first.written.as_deref()),
        ("10.0.0.1", Some("010.0.0.01"))
    );
    assert_eq!((first.ready, first.serving, first.terminating), (false, true, true));
    assert_eq!(
        (second.node.as_deref(), second.ready, second.written.as_deref()),
        (Some("node-b"), true, None)
    );
    assert_eq!(second.for_zones, ["z1"]);
    assert!(third.ready && third.serving && third.node.is_none());
}

#[test]
fn endpoints_become_slices_where_a_service_has_none() {
    let endpoints = r#"{"kind":"Endpoints","metadata":{"namespace":"shop","name":"web"},"subsets":[{
      "addresses":[{"ip":"10.0.0.1","nodeName":"node-a"}],"notReadyAddresses":[{"ip":"10.0.0.2"}],
      "ports":[{"name":"http","port":8080}]}]}"#;
    let (objects, errors) = Objects::read(&format!("{SERVICE}\n{endpoints}"));
    assert_eq!(errors, []);
    let slices = objects.slices_of(objects.service("shop", "web").unwrap());
    let ready: Vec<bool> = slices[0].endpoints.iter().map(|endpoint| endpoint.ready).collect();
    assert_eq!(ready, [true, false]);
    let (with_slice, _) = Objects::read(&format!("{SERVICE}{endpoints}{SLICE}"));
    assert_eq!(with_slice.slices_of(&with_slice.services[0])[0].name, "web-x");
}

#[test]
fn lists_documents_and_lines_are_all_taken() {
    let node = r#"{"kind":"Node","metadata":{"name":"node-a","labels":{"topology.kubernetes.io/zone":"z1"}},
      "spec":{"podCIDR":"10.0.0.0/24"},"status":{"addresses":[{"type":"InternalIP","address":"192.168.50.10"},
      {"type":"Hostname","address":"node-a"}]}}"#;
    let items = r#"{"metadata":{"name":"a"},"spec":{"clusterIP":"None"}}"#;
    let text = format!(
        "{{\"kind\":\"ServiceList\",\"items\":[{items}]}}\n{{\"kind\":\"List\",\"items\":[{node}]}}{node}"
    );
    let (objects, errors) = Objects::read(&text);
    assert_eq!(errors, []);
    assert!(objects.service("default", "a").unwrap().headless);
    assert_eq!(objects.nodes.len(), 2);
    let node = objects.node("node-a").unwrap();
    assert_eq!(node.pod_cidrs[0].to_string(), "10.0.0.0/24");
    assert_eq!((node.addresses.len(), node.zone.as_deref()), (1, Some("z1")));
}

#[test]
fn what_is_wrong_is_named_and_loses_nothing_else() {
    let broken = SERVICE.replace("\"nodePort\":30080", "\"nodePort\":300800").replace("\"web\",", "\"bad\",");
    let (objects, errors) = Objects::read(&format!("{broken}{SERVICE}{{\"a\":1}} nonsense"));
    assert_eq!(objects.services.len(), 1);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "service `shop/bad`: `spec.ports[0].nodePort`: expected a port from 1 to 65535, found `300800`",
            "document 3: expected an object with `kind`, as kubectl prints with -o json",
            "13:136: not JSON: expected ident",
        ]
    );
    let (_, errors) = Objects::read(r#"{"kind":"EndpointSlice","metadata":{"name":"x"}}"#);
    assert_eq!(errors[0].to_string(), "endpointslice `x`: `addressType` is missing");
}
