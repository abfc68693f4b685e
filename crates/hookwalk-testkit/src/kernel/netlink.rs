//! Just enough netlink: messages of `NETLINK_NETFILTER`, their attributes, and a socket.
//!
//! Numbers are those of `linux/netlink.h` and `linux/netfilter/nfnetlink.h`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt,
    socket, sockopt,
};

/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NLM_F_ACK`: answer with an error code, 0 when all went well.
pub(super) const ACK: u16 = 4;
/// `NLM_F_DUMP`: answer with everything.
pub(super) const DUMP: u16 = 0x300;
/// `NLMSG_ERROR`: the answer to [`ACK`].
const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of an answer in parts.
const DONE: u16 = 3;
/// The two flags in the type of an attribute: nested, and network byte order.
const ATTRIBUTE_FLAGS: u16 = 0xc000;

/// A message of a netfilter subsystem.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// `subsystem << 8 | message`.
    pub kind: u16,
    /// `AF_INET` or `AF_INET6`, where it is about packets or rules.
    pub family: u8,
    /// `res_id` of `nfgenmsg`: the group, for `nfnetlink_log`.
    pub resource: u16,
    /// The attributes.
    pub body: &'a [u8],
}

/// What one datagram holds.
pub(super) enum Part<'a> {
    Message(Message<'a>),
    /// The answer to a request: an error number, or 0.
    Answer(i32),
    /// The end of a dump.
    Done,
}

/// Splits a datagram into its messages; stops where it is malformed.
pub(super) fn parts(mut rest: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let (header, _) = rest.split_first_chunk::<16>()?;
        let [l0, l1, l2, l3, k0, k1, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let kind = u16::from_ne_bytes([k0, k1]);
        let content = rest.get(16..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(match kind {
            ERROR => {
                let code = content.first_chunk::<4>()?;
                Part::Answer(-i32::from_ne_bytes(*code))
            }
            DONE => Part::Done,
            _ => {
                let ([family, _version, r0, r1], body) = content.split_first_chunk::<4>()?;
                Part::Message(Message {
                    kind,
                    family: *family,
                    resource: u16::from_be_bytes([*r0, *r1]),
                    body,
                })
            }
        })
    })
}

/// The attributes of a message or of a nested attribute, as (type, value).
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let ([l0, l1, k0, k1], _) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let kind = u16::from_ne_bytes([*k0, *k1]) & !ATTRIBUTE_FLAGS;
        let value = rest.get(4..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of a type.
pub(super) fn attribute(body: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(body).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A value in network byte order: the low 64 bits of it.
pub(super) fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// A value that is a 32-bit number in network byte order; 0 when absent.
pub(super) fn number32(body: &[u8], kind: u16) -> u32 {
    attribute(body, kind).map(number).and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

/// A value that is a string with a NUL at its end.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

/// Lengths are padded to four bytes.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// A request under construction.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// A request of `subsystem << 8 | message` for a family and resource.
    pub(super) fn new(kind: u16, flags: u16, family: u8, resource: u16) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((REQUEST | flags).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend([family, 0]);
        bytes.extend(resource.to_be_bytes());
        Self(bytes)
    }

    /// The request with one more attribute.
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(aligned(self.0.len()), 0);
        self
    }

    /// The request with a nested attribute, word for word as it was read.
    pub(super) fn with_nested(self, kind: u16, value: &[u8]) -> Self {
        self.with(kind | 0x8000, value)
    }

    fn into_bytes(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_ne_bytes();
        for (byte, value) in self.0.iter_mut().zip(length) {
            *byte = value;
        }
        self.0
    }
}

/// A socket of `NETLINK_NETFILTER`, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Socket {
    /// A socket that also gets what is sent to these multicast groups (a mask).
    pub(super) fn open(groups: u32) -> io::Result<Self> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkNetFilter,
        )?;
        setsockopt(&fd, sockopt::RcvBufForce, &(32 << 20))?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self { fd, buffer: vec![0; 1 << 17] })
    }

    /// Sends a request without waiting for its answer.
    pub(super) fn send(&self, request: Request) -> io::Result<()> {
        let to_kernel = NetlinkAddr::new(0, 0);
        sendto(self.fd.as_raw_fd(), &request.into_bytes(), &to_kernel, MsgFlags::empty())?;
        Ok(())
    }

    /// Sends a request with [`ACK`] or [`DUMP`] and hands on every message until its answer is complete.
    pub(super) fn ask(&mut self, request: Request, mut each: impl FnMut(Message<'_>)) -> io::Result<()> {
        self.send(request)?;
        loop {
            let datagram = self.receive()?.ok_or(io::ErrorKind::TimedOut)?;
            for part in parts(datagram) {
                match part {
                    Part::Message(message) => each(message),
                    Part::Answer(0) | Part::Done => return Ok(()),
                    Part::Answer(code) => return Err(io::Error::from_raw_os_error(code)),
                }
            }
        }
    }

    /// The next datagram, if one is there.
    pub(super) fn receive(&mut self) -> io::Result<Option<&[u8]>> {
        match recv(self.fd.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => Ok(self.buffer.get(..length)),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until something is there to receive, at most so long.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        Ok(poll(&mut fds, timeout)? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back() {
        let bytes = Request::new(0x0a07, DUMP, 2, 7).with(1, b"nat\0").with(2, &[1]).into_bytes();
        let Some(Part::Message(message)) = parts(&bytes).next() else { panic!("no message") };
        assert_eq!((message.kind, message.resource), (0x0a07, 7));
        let found: Vec<_> = attributes(message.body).collect();
        assert_eq!(found, [(1, b"nat\0".as_slice()), (2, &[1])]);
        assert_eq!(text(attribute(message.body, 1).unwrap()), "nat");
        assert_eq!(number(&[1, 2]), 258);
    }

    #[test]
    fn malformed_ends() {
        assert_eq!(parts(&[255; 20]).count(), 0);
        assert_eq!(attributes(&[9, 0, 1]).count(), 0);
        assert_eq!(attributes(&[2, 0, 1, 0, 7]).count(), 0);
    }
}
