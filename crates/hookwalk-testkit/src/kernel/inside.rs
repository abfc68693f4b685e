//! What lives in the namespace's thread: sends a packet and gathers everything that is said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use std::{fs, io};

use hookwalk_parser::types::Family;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use super::connections::{self, Handle};
use super::counters;
use super::error::Error;
use super::events::{self, Event, Rules, is_housekeeping};
use super::gathered::{Gathered, Left};
use super::netlink::{ACK, Part, Request, Socket, parts};
use super::observation::{Injection, Observation};
use super::restore::{PATIENT, address_family, empty, restore, run, save, tables};
use super::setup::{Device, node};
use super::watch;
use crate::arbiter::Backend;
use crate::topology::Topology;

/// `IPPROTO_RAW`: the header comes with the packet.
const RAW: i32 = 255;
/// How long a packet that is still under way is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it has to be quiet around a packet that went through `lo` and was not delivered. Only
/// there the kernel may go on in another context after the call has returned.
const QUIET: Duration = Duration::from_millis(5);

/// The namespace's devices, sockets and rules.
pub(super) struct Inside {
    devices: Vec<Device>,
    /// Where traces, logs and new connections arrive.
    events: Socket,
    /// For requests, so that answers do not mix with events.
    requests: Socket,
    rules: Rules,
    /// Tables of each backend and family that are in the kernel.
    tables: BTreeMap<(Backend, u8), BTreeSet<String>>,
    /// Whether rules keep lists of addresses (`-m recent`).
    has_lists: bool,
    /// Connections that the packets so far left.
    connections: Vec<Handle>,
}

impl Inside {
    /// Sets up the node in the calling thread's namespace.
    pub(super) fn new(topology: &Topology) -> Result<Self, Error> {
        let devices = node(topology)?;
        run("nft", &["-f", "-"], &watch::chains())?;
        if topology.track_connections {
            run("nft", &["-f", "-"], &watch::tracking())?;
        }
        let netlink = |groups| Socket::open(groups).map_err(Error::system("open a netlink socket"));
        let mut events = netlink(events::TRACE_GROUP | connections::GROUPS)?;
        events::bind_logs(&mut events).map_err(Error::system("bind to nfnetlink_log"))?;
        let mut inside = Self {
            devices,
            events,
            requests: netlink(0)?,
            rules: Rules::default(),
            tables: BTreeMap::new(),
            has_lists: false,
            connections: Vec::new(),
        };
        inside.read_handles()?;
        Ok(inside)
    }

    /// Replaces the rules of a backend and family. Tables are committed one by one, so some may be there after
    /// an error.
    pub(super) fn load(&mut self, backend: Backend, family: Family, text: &str) -> Result<(), Error> {
        let restored = self.replace(backend, family, text);
        self.forget_all()?;
        restored
    }

    /// The same, but connections stay.
    pub(super) fn replace(&mut self, backend: Backend, family: Family, text: &str) -> Result<(), Error> {
        let named = tables(text);
        let number = address_family(family);
        self.has_lists |= text.contains("-m recent ");
        for name in accounts(text) {
            self.create_account(name).map_err(Error::system(format!("create the nfacct object `{name}`")))?;
        }
        let loaded = self.tables.entry((backend, number)).or_default();
        let gone: String = loaded.difference(&named).map(|table| empty(table)).collect();
        loaded.extend(named);
        let restored = run(restore(backend, family), &PATIENT, &(gone + text));
        match backend {
            Backend::Legacy => {
                let saved = run(save(backend, family), &[], "")?;
                self.rules.set_lengths(number, counters::lengths(&saved));
            }
            Backend::Nft => self.read_handles()?,
        }
        restored.map(drop)
    }

    /// An object that `-m nfacct` counts in has to be there before the rule.
    fn create_account(&mut self, name: &str) -> io::Result<()> {
        // `NFNL_SUBSYS_ACCT << 8 | NFNL_MSG_ACCT_NEW`, with `NLM_F_CREATE`; `NFACCT_NAME`.
        let request = Request::new(0x0700, ACK | 0x400, 0, 0).with(1, &[name.as_bytes(), b"\0"].concat());
        match self.requests.ask(request, |_| ()) {
            Err(error) if error.kind() != io::ErrorKind::ResourceBusy => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes the rules of all backends and families away.
    pub(super) fn clear(&mut self) -> Result<(), Error> {
        for backend in Backend::ALL {
            for family in [Family::V4, Family::V6] {
                let key = (backend, address_family(family));
                if self.tables.get(&key).is_some_and(|tables| !tables.is_empty()) {
                    self.load(backend, family, "")?;
                    self.tables.remove(&key);
                }
            }
        }
        Ok(())
    }

    /// Destroys all sets. nft gives up what a deleted rule held a while after the command has ended.
    pub(super) fn destroy_sets() -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The members of a list of sets are in use by it.
            match run("ipset", &["flush"], "").and_then(|_| run("ipset", &["destroy"], "")) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(QUIET),
                result => return result.map(drop),
            }
        }
    }

    fn read_handles(&mut self) -> Result<(), Error> {
        self.rules.read_handles(&mut self.requests).map_err(Error::system("list the rules"))
    }

    /// Forgets the connections and addresses that the packets so far left.
    pub(super) fn forget_new(&mut self) -> Result<(), Error> {
        for handle in self.connections.drain(..) {
            connections::delete(&mut self.requests, &handle).map_err(Error::system("delete a connection"))?;
        }
        self.forget_lists()
    }

    /// Empties the lists of `-m recent`.
    fn forget_lists(&self) -> Result<(), Error> {
        if !self.has_lists {
            return Ok(());
        }
        let clear = || {
            for list in fs::read_dir("/proc/thread-self/net/xt_recent")? {
                fs::write(list?.path(), "/")?;
            }
            Ok::<(), io::Error>(())
        };
        match clear() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::system("empty a list")(error))
            }
            _ => Ok(()),
        }
    }

    /// Forgets all connections and listed addresses.
    pub(super) fn forget_all(&mut self) -> Result<(), Error> {
        self.connections.clear();
        connections::delete_all(&mut self.requests).map_err(Error::system("delete all connections"))?;
        self.forget_lists()
    }

    /// Sends a packet and tells what became of it. The connection it leaves stays.
    pub(super) fn send(&mut self, injection: &Injection) -> Result<Observation, Error> {
        let mut late = Gathered::default();
        self.collect(&mut late)?;
        self.connections.append(&mut late.handles);
        let mut gathered = Gathered { refused: self.inject(injection)?, ..Gathered::default() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let news = self.collect(&mut gathered)?;
            if gathered.is_under_way() && Instant::now() < deadline {
                self.wait()?;
            } else if gathered.is_under_way()
                || !gathered.went_through_loopback()
                || gathered.is_delivered()
                || (!self.wait()? && !news)
            {
                break;
            }
        }
        self.connections.append(&mut gathered.handles);
        let name =
            |index| self.devices.iter().find(|device| device.index == index).map(|device| &*device.name);
        gathered.conclude(matches!(injection, Injection::Sent { .. }), name)
    }

    /// Takes the arbiter's own tables away.
    pub(super) fn unwatch() -> Result<(), Error> {
        run("nft", &["-f", "-"], &watch::removal()).map(drop)
    }

    /// Lets packets arrive one after the other, and reads what leaves without looking at it.
    pub(super) fn flood(&mut self, interface: &str, packets: &[Vec<u8>]) -> Result<(), Error> {
        let device = self.devices.iter().find(|device| device.name == interface);
        let device = device.ok_or_else(|| Error::NoInterface(interface.to_owned()))?;
        for packet in packets {
            device.arrive(packet)?;
        }
        for device in &self.devices {
            while device.left()?.is_some() {}
        }
        Ok(())
    }

    /// Waits a while for events; whether there are any.
    fn wait(&self) -> Result<bool, Error> {
        self.events.wait(QUIET).map_err(Error::system("wait for events"))
    }

    /// Puts the packet in; an error number when the kernel refused to send it.
    fn inject(&self, injection: &Injection) -> Result<Option<i32>, Error> {
        match injection {
            Injection::Arrives { interface, packet } => {
                let device = self.devices.iter().find(|device| device.name == *interface);
                device.ok_or_else(|| Error::NoInterface(interface.clone()))?.arrive(packet)?;
                Ok(None)
            }
            Injection::Sent { packet, mark } => {
                let (src, dst) = ends(packet).ok_or_else(|| Error::NotIp("too short".to_owned()))?;
                let raw = raw_socket(src, *mark).map_err(Error::system("open a raw socket"))?;
                match raw.send_to(packet, &SocketAddr::new(dst, 0).into()) {
                    Ok(_) => Ok(None),
                    Err(error) => match error.raw_os_error() {
                        Some(number) => Ok(Some(number)),
                        None => Err(Error::system("send a packet")(error)),
                    },
                }
            }
        }
    }

    /// Takes what events and packets are there; whether there were any.
    fn collect(&mut self, gathered: &mut Gathered) -> Result<bool, Error> {
        let mut any = false;
        while let Some(datagram) = self.events.receive().map_err(Error::system("receive events"))? {
            for part in parts(datagram) {
                let Part::Message(message) = part else { continue };
                let Some(event) = self.rules.event(message)? else { continue };
                any = true;
                match event {
                    Event::Sight(sight) => gathered.sights.push(sight),
                    Event::Reply { kind, packet } => gathered.replies.push((kind, packet)),
                    Event::ReplyOnLoopback => gathered.replies_on_loopback += 1,
                    Event::Connection(connection, handle) => {
                        gathered.connections.push(connection);
                        gathered.handles.push(handle);
                    }
                }
            }
        }
        for device in &self.devices {
            while let Some(packet) = device.left()? {
                if is_housekeeping(&packet) {
                    continue;
                }
                any = true;
                gathered.left.push(Left { index: device.index, packet });
            }
        }
        Ok(any)
    }
}

/// The nfacct objects that rules name.
fn accounts(text: &str) -> BTreeSet<&str> {
    text.split("--nfacct-name ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect()
}

/// A socket that sends from this address, its own or another's, with this mark. Routing rules look at the address
/// of the socket, not at that of the header; a group cannot be bound, and the socket then has none.
fn raw_socket(src: IpAddr, mark: u32) -> io::Result<RawSocket> {
    let domain = if src.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let raw = RawSocket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
    raw.set_mark(mark)?;
    if src.is_ipv4() {
        raw.set_broadcast(true)?;
        raw.set_freebind_v4(true)?;
    } else {
        raw.set_freebind_v6(true)?;
    }
    match raw.bind(&SocketAddr::new(src, 0).into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrNotAvailable && !src.is_multicast() => Err(error),
        _ => Ok(raw),
    }
}

/// Source and destination address of a packet.
fn ends(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let v6 = |at: usize| packet.get(at..)?.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into());
    let v4 = |at: usize| packet.get(at..)?.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into());
    match packet.first()? >> 4 {
        6 => Some((v6(8)?, v6(24)?)),
        _ => Some((v4(12)?, v4(16)?)),
    }
}
