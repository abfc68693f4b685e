use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use hookwalk::context::ContextError;
use hookwalk::types::Family;
use hookwalk::{Backend, Dump, Host, Reader, Severity, context};

use crate::args::{BackendArgument, ContextArguments, FamilyArgument, Reading};
use crate::{Failure, diagnostics};

/// The name of a file as it stands before its line numbers.
pub(crate) fn name(file: &Path) -> String {
    if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() }
}

/// Files as diagnostics name them.
pub(crate) fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| name(file)).collect()
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    let bytes = read.map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", name(file))))?;
    unpacked(bytes).map_err(|error| Failure::input(format!("cannot unpack `{}`: {error}", name(file))))
}

/// What a compressed file may hold at most: a node's rules are some megabytes, a crafted file of a
/// few kilobytes may hold terabytes.
const LARGEST: usize = 2 << 30;

/// The bytes inside, when a file starts as gzip, xz or zstd files do; else the bytes themselves.
fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut out = Bounded { bytes: Vec::new(), largest: LARGEST };
    match bytes.as_slice() {
        [0x1f, 0x8b, 8, ..] => {
            io::copy(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()), &mut out)?;
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            // One stream, as xz writes it; what stands behind it is an error.
            lzma_rs::xz_decompress(&mut bytes.as_slice(), &mut out).map_err(|error| match error {
                lzma_rs::error::Error::IoError(error) => error,
                error => io::Error::new(io::ErrorKind::InvalidData, format!("{error:?}")),
            })?;
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut packed = bytes.as_slice();
            while !packed.is_empty() {
                let decoder = ruzstd::decoding::StreamingDecoder::new(&mut packed);
                let mut decoder =
                    decoder.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
                io::copy(&mut decoder, &mut out)?;
            }
        }
        _ => return Ok(bytes),
    }
    Ok(out.bytes)
}

/// Memory that takes no more than it may.
struct Bounded {
    bytes: Vec<u8>,
    largest: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.largest {
            let mebibytes = self.largest >> 20;
            return Err(io::Error::other(format!("there are more than {mebibytes} MiB inside")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a dump and tells what was not right with it.
pub(crate) fn dump(file: &Path, reading: &Reading) -> Result<Dump, Failure> {
    let mut reader = Reader::new();
    if let Some(table) = &reading.table {
        reader = reader.table(table);
    }
    if let Some(family) = reading.family {
        reader = reader.family(match family {
            FamilyArgument::V4 => Family::V4,
            FamilyArgument::V6 => Family::V6,
        });
    }
    if let Some(backend) = reading.backend {
        reader = reader.backend(match backend {
            BackendArgument::Legacy => Backend::Legacy,
            BackendArgument::Nft => Backend::Nft,
        });
    }
    let dump = reader.parse(read(file)?);
    diagnostics::print(&name(file), &dump);
    Ok(dump)
}

/// Reads dumps and tells what was not right with them; refuses those of which nothing can be used.
pub(crate) fn dumps(files: &[PathBuf], reading: &Reading) -> Result<Vec<Dump>, Failure> {
    let dumps = files.iter().map(|file| dump(file, reading)).collect::<Result<Vec<_>, _>>()?;
    check(&dumps, reading)?;
    Ok(dumps)
}

/// Refuses dumps of which nothing can be used, and with `--strict` those with an error.
pub(crate) fn check(dumps: &[Dump], reading: &Reading) -> Result<(), Failure> {
    let usable = |dump: &Dump| dump.tables().iter().any(|table| !table.chains.is_empty());
    if !dumps.iter().any(usable) {
        return Err(Failure::input("nothing in the input can be used: expected the text of iptables-save"));
    }
    let has_error = |dump: &Dump| dump.diagnostics().iter().any(|d| d.severity == Severity::Error);
    if reading.strict && dumps.iter().any(has_error) {
        return Err(Failure::input("the input has errors, and --strict was given"));
    }
    Ok(())
}

/// What is known of the node.
pub(crate) fn host(arguments: &ContextArguments, strict: bool) -> Result<Host, Failure> {
    let mut host = Host::default();
    for address in &arguments.node_ip {
        host = host.with_node_address(*address);
    }
    let mut errors = 0;
    for file in &arguments.addr {
        let (addresses, lost) = context::addresses(&text(file)?);
        errors += tell(file, &lost, addresses.is_empty())?;
        host = host.with_interface_addresses(addresses);
        if !lost.is_empty() {
            host = host.with_addresses_missing();
        }
    }
    for file in &arguments.route {
        let (routes, lost) = context::routes(&text(file)?);
        errors += tell(file, &lost, routes.is_empty())?;
        host = host.with_routes(routes);
        if !lost.is_empty() {
            host = host.with_routes_missing();
        }
    }
    for file in &arguments.rule {
        let (rules, lost) = context::rules(&text(file)?);
        errors += tell(file, &lost, rules.is_empty())?;
        host = host.with_routing_rules(rules);
        if !lost.is_empty() {
            host = host.with_routes_missing();
        }
    }
    for file in &arguments.ipset {
        let (sets, lost) = context::ipsets(&text(file)?);
        errors += tell(file, &lost, false)?;
        // A line that could not be read may have been an entry of any set.
        let lacks = lost.iter().any(|error| !error.told);
        for (name, set) in sets {
            let set = if lacks { set.with_entries_missing() } else { set };
            host = host.with_set(name, set);
        }
    }
    for (number, file) in arguments.conntrack.iter().enumerate() {
        let (connections, lost) = context::connections(number, &text(file)?);
        errors += tell(file, &lost, connections.is_empty())?;
        host = host.with_connections(connections);
        if !lost.is_empty() {
            host = host.with_connections_missing();
        }
    }
    for file in &arguments.sysctl {
        let lost = context::read_sysctls(&text(file)?, &mut host.sysctls);
        errors += tell(file, &lost, host.sysctls == hookwalk::Sysctls::default())?;
    }
    if strict && errors > 0 {
        return Err(Failure::input("what is known of the node has errors, and --strict was given"));
    }
    Ok(host)
}

/// The text of a file; bytes that are no UTF-8 are replaced.
pub(crate) fn text(file: &Path) -> Result<String, Failure> {
    Ok(String::from_utf8_lossy(&read(file)?).into_owned())
}

/// Tells what of a file was not understood, and how much; refuses a file of which nothing was.
fn tell(file: &Path, errors: &[ContextError], is_empty: bool) -> Result<usize, Failure> {
    diagnostics::print_context(&name(file), errors);
    if is_empty && !errors.is_empty() {
        return Err(Failure::input(format!("nothing in `{}` can be used", name(file))));
    }
    Ok(errors.iter().filter(|error| !error.told).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"*nat\n:X - [0:0]\n-A X -j RETURN\nCOMMIT\n";

    #[test]
    fn compressed_inputs_open_as_they_are() -> Result<(), Box<dyn std::error::Error>> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(TEXT)?;
        let gzip = gzip.finish()?;
        let mut xz = Vec::new();
        lzma_rs::xz_compress(&mut &*TEXT, &mut xz)?;
        let zstd = ruzstd::encoding::compress_to_vec(TEXT, ruzstd::encoding::CompressionLevel::Fastest);
        for packed in [TEXT.to_vec(), gzip.clone(), xz.clone(), zstd.clone()] {
            assert_eq!(unpacked(packed).ok().as_deref(), Some(TEXT));
        }
        // Several gzip or zstd files may stand one behind the other.
        for packed in [&gzip, &zstd] {
            assert_eq!(unpacked(packed.repeat(2)).ok(), Some(TEXT.repeat(2)));
        }
        for packed in [gzip, xz, zstd] {
            assert!(unpacked(packed[..packed.len() - 5].to_vec()).is_err());
        }
        Ok(())
    }

    #[test]
    fn what_is_inside_is_bounded() {
        let mut out = Bounded { bytes: Vec::new(), largest: 10 };
        assert!(out.write_all(b"0123456789").is_ok());
        assert!(out.write_all(b"0").is_err());
    }
}
