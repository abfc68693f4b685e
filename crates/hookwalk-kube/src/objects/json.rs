use std::net::{IpAddr, Ipv4Addr};

use hookwalk_parser::types::{MaskedAddress, Protocol};
use serde_json::Value;

use super::ObjectError;

/// A value of a JSON document and the way to it, so that what is wrong with it can be told.
#[derive(Clone)]
pub(super) struct Field<'v> {
    object: &'v str,
    path: String,
    value: &'v Value,
}

static NULL: Value = Value::Null;

type Read<T> = Result<T, ObjectError>;

impl<'v> Field<'v> {
    pub(super) fn root(object: &'v str, value: &'v Value) -> Self {
        Field { object, path: String::new(), value }
    }

    /// The member of this name; null where there is none.
    pub(super) fn get(&self, name: &str) -> Field<'v> {
        let dot = if self.path.is_empty() { "" } else { "." };
        let value = self.value.get(name).unwrap_or(&NULL);
        Field { object: self.object, path: format!("{}{dot}{name}", self.path), value }
    }

    /// The label or annotation of this name, which may have dots in it.
    pub(super) fn label(&self, name: &str) -> Field<'v> {
        let value = self.value.get(name).unwrap_or(&NULL);
        Field { object: self.object, path: format!("{}[\"{name}\"]", self.path), value }
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn is_zero(&self) -> bool {
        self.value.as_u64() == Some(0)
    }

    pub(super) fn wrong(&self, expected: &'static str) -> ObjectError {
        let (object, field) = (self.object.to_owned(), self.path.clone());
        if self.is_null() {
            return ObjectError::Missing { object, field };
        }
        let mut found = self.value.to_string();
        if let Some((at, _)) = found.char_indices().nth(60) {
            found.truncate(at);
            found.push('…');
        }
        ObjectError::Field { object, field, expected, found }
    }

    /// The elements of a list; none where it is absent.
    pub(super) fn list(&self) -> Read<Vec<Field<'v>>> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Array(elements) => Ok(elements
                .iter()
                .enumerate()
                .map(|(i, value)| Field { object: self.object, path: format!("{}[{i}]", self.path), value })
                .collect()),
            _ => Err(self.wrong("a list")),
        }
    }

    pub(super) fn text(&self) -> Read<&'v str> {
        self.value.as_str().ok_or_else(|| self.wrong("a string"))
    }

    pub(super) fn port(&self) -> Read<u16> {
        let port = self.value.as_u64().and_then(|number| u16::try_from(number).ok()).filter(|&port| port > 0);
        port.ok_or_else(|| self.wrong("a port from 1 to 65535"))
    }

    pub(super) fn seconds(&self) -> Read<u32> {
        let seconds = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        seconds.ok_or_else(|| self.wrong("a number of seconds"))
    }

    pub(super) fn flag(&self) -> Read<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    pub(super) fn address(&self) -> Read<IpAddr> {
        address(self.text()?).ok_or_else(|| self.wrong("an IPv4 or IPv6 address"))
    }

    pub(super) fn prefix(&self) -> Read<MaskedAddress> {
        let text = self.text()?.trim();
        prefix(text).ok_or_else(|| self.wrong("a CIDR such as 10.0.0.0/8"))
    }

    /// `TCP` where it is absent, as the API fills in.
    pub(super) fn protocol(&self) -> Read<Protocol> {
        if self.is_null() {
            return Ok(Protocol::TCP);
        }
        match self.text()? {
            "TCP" => Ok(Protocol::TCP),
            "UDP" => Ok(Protocol::UDP),
            "SCTP" => Ok(Protocol::SCTP),
            _ => Err(self.wrong("TCP, UDP or SCTP")),
        }
    }

    /// What `read` makes of it; none where it is absent.
    pub(super) fn maybe<T>(&self, read: impl Fn(&Self) -> Read<T>) -> Read<Option<T>> {
        if self.is_null() { Ok(None) } else { read(self).map(Some) }
    }
}

/// An address as Kubernetes takes it (`ParseIPSloppy` of `k8s.io/utils/net`): zeros before the
/// decimal parts of IPv4 count for nothing.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| {
        let octets: Option<Vec<u8>> = text.split('.').map(octet).collect();
        let octets: [u8; 4] = octets?.try_into().ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(octets)))
    })
}

fn octet(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A prefix as Kubernetes takes it; see [`address`].
pub(super) fn prefix(text: &str) -> Option<MaskedAddress> {
    let (host, len) = text.split_once('/')?;
    let address = address(host)?;
    let len = len.parse::<u8>().ok()?;
    format!("{address}/{len}").parse().ok()
}
