//! A network namespace with a thread that lives in it.

use std::path::Path;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use hookwalk_parser::types::Family;
use nix::sched::{CloneFlags, unshare};

use super::counters::Counters;
use super::error::Error;
use super::inside::Inside;
use super::observation::{Injection, Observation};
use super::restore::{restore, run, save};
use super::setup::{set_sysctl, sysctls};
use crate::arbiter::Backend;
use crate::topology::Topology;

type Job = Box<dyn FnOnce(&mut Inside) + Send>;

/// A node: a network namespace with no link to the outside, gone when this is dropped.
///
/// A namespace is a property of a thread, so everything happens in a thread of its own; several
/// namespaces do not disturb each other.
#[derive(Debug)]
pub struct Namespace {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Namespace {
    /// Why there can be no arbiter here; `None` when there can.
    pub fn missing() -> Option<String> {
        let may_unshare = || unshare(CloneFlags::CLONE_NEWNET).is_ok();
        if !Builder::new().spawn(may_unshare).is_ok_and(|thread| thread.join().unwrap_or(false)) {
            return Some("needs root and CAP_NET_ADMIN".to_owned());
        }
        if !Path::new("/dev/net/tun").exists() {
            return Some("needs /dev/net/tun".to_owned());
        }
        let commands = Backend::ALL.into_iter().flat_map(|backend| {
            [Family::V4, Family::V6].into_iter().flat_map(move |f| [restore(backend, f), save(backend, f)])
        });
        for (command, argument) in
            commands.map(|name| (name, "-V")).chain([("ip", "-V"), ("nft", "-v"), ("ipset", "-v")])
        {
            if run(command, &[argument], "").is_err() {
                return Some(format!("needs `{command}`"));
            }
        }
        None
    }

    /// A new node without any rules.
    pub fn open(topology: &Topology) -> Result<Self, Error> {
        let (jobs, todo) = channel::<Job>();
        let (ready, opened) = sync_channel(1);
        let topology = topology.clone();
        let enter = move || {
            unshare(CloneFlags::CLONE_NEWNET).map_err(Error::system("create a network namespace"))?;
            Inside::new(&topology)
        };
        let live = move || match enter() {
            Ok(mut inside) => {
                let _ = ready.send(Ok(()));
                while let Ok(job) = todo.recv() {
                    job(&mut inside);
                }
            }
            Err(error) => drop(ready.send(Err(error))),
        };
        let thread =
            Builder::new().name("arbiter".into()).spawn(live).map_err(Error::system("start a thread"))?;
        let namespace = Self { jobs: Some(jobs), thread: Some(thread) };
        opened.recv().map_err(|_| Error::Closed)??;
        Ok(namespace)
    }

    /// Replaces all rules of one backend and family by those of a restore text; the others keep theirs.
    ///
    /// Tables that the text does not name are emptied. Counters start at zero, connections are forgotten.
    pub fn load(&self, backend: Backend, family: Family, restore_text: &str) -> Result<(), Error> {
        let text = restore_text.to_owned();
        self.ask(move |inside| inside.load(backend, family, &text))
    }

    /// Like [`Namespace::load`], but connections stay.
    pub fn load_within_session(
        &self,
        backend: Backend,
        family: Family,
        restore_text: &str,
    ) -> Result<(), Error> {
        let text = restore_text.to_owned();
        self.ask(move |inside| inside.replace(backend, family, &text))
    }

    /// Takes all rules away.
    pub fn clear(&self) -> Result<(), Error> {
        self.ask(Inside::clear)
    }

    /// Replaces all sets by those of an `ipset restore` text, and takes all rules away, which may name one.
    pub fn load_sets(&self, restore_text: &str) -> Result<(), Error> {
        let text = restore_text.to_owned();
        self.ask(move |inside| {
            inside.clear()?;
            Inside::destroy_sets()?;
            run("ipset", &["restore"], &text).map(drop)
        })
    }

    /// `iptables-save -c`, or `ip6tables-save -c`.
    pub fn save(&self, backend: Backend, family: Family) -> Result<String, Error> {
        self.ask(move |_| run(save(backend, family), &["-c"], ""))
    }

    /// The counters now. They also count what the kernel sent by itself, see the [module](super).
    pub fn save_counters(&self, backend: Backend, family: Family) -> Result<Counters, Error> {
        self.save(backend, family).map(|save| Counters::of_save(&save))
    }

    /// What becomes of one packet on a node that knows no connections; it knows none afterwards.
    pub fn send(&self, injection: Injection) -> Result<Observation, Error> {
        self.ask(move |inside| {
            let seen = inside.send(&injection);
            inside.forget_new()?;
            seen
        })
    }

    /// [`Namespace::send`] for each of the packets; faster than one by one.
    pub fn send_all(&self, injections: Vec<Injection>) -> Result<Vec<Observation>, Error> {
        let each = move |inside: &mut Inside, injection: &Injection| {
            let seen = inside.send(injection);
            inside.forget_new()?;
            seen
        };
        self.ask(move |inside| injections.iter().map(|injection| each(inside, injection)).collect())
    }

    /// Like [`Namespace::send`], but connections stay until [`Namespace::forget_connections`], the next
    /// [`Namespace::send`], or a [`Namespace::load`].
    pub fn send_within_session(&self, injection: Injection) -> Result<Observation, Error> {
        self.ask(move |inside| inside.send(&injection))
    }

    /// Takes the arbiter's own tables away, so that nothing but the rules under test looks at packets: many times
    /// faster, but from then on only [`Namespace::flood`] and counters tell anything.
    pub fn unwatch(&self) -> Result<(), Error> {
        self.ask(|_| Inside::unwatch())
    }

    /// Lets packets arrive one after the other; what became of them stands in the counters.
    pub fn flood(&self, interface: &str, packets: Vec<Vec<u8>>) -> Result<(), Error> {
        let interface = interface.to_owned();
        self.ask(move |inside| inside.flood(&interface, &packets))
    }

    /// Forgets all connections.
    pub fn forget_connections(&self) -> Result<(), Error> {
        self.ask(Inside::forget_all)
    }

    /// Runs a command on the node and returns what it prints: `command("ip", &["route"])`.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Result<String, Error> {
        let program = program.to_owned();
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.ask(move |_| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&program, &arguments, "")
        })
    }

    /// Sets a switch of the node: `sysctl("net.ipv4.conf.all.route_localnet", "1")`.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<(), Error> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.ask(move |_| set_sysctl(&name, &value))
    }

    /// The switches of the node that decide about packets of a family, as `sysctl -a` prints them.
    pub fn sysctls(&self, family: Family) -> Result<String, Error> {
        self.ask(move |_| sysctls(family))
    }

    /// Runs a closure in the node's thread; sockets it opens are the node's.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        self.ask(move |_| Ok(work()))
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inside) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = sync_channel(1);
        let job: Job = Box::new(move |inside| drop(answer.send(work(inside))));
        self.jobs.as_ref().ok_or(Error::Closed)?.send(job).map_err(|_| Error::Closed)?;
        answered.recv().map_err(|_| Error::Closed)?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
