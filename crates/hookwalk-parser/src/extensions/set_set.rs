use super::{Extension, SetReference};
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};

/// `-j SET`: adds to ipsets, takes from them, or takes marks out of them; the packet goes on
/// (kernel: `net/netfilter/xt_set.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SetTarget {
    /// `--add-set`
    pub add: Option<SetReference>,
    /// `--exist`: an element that is there already gets the new timeout
    pub exist: bool,
    /// `--timeout`: of the element added, seconds
    pub timeout: Option<u32>,
    /// `--del-set`
    pub delete: Option<SetReference>,
    /// `--map-set`: what an element holds goes to the packet
    pub map: Option<SetReference>,
    /// `--map-mark`: its mark
    pub map_mark: bool,
    /// `--map-prio`: its class for traffic control
    pub map_prio: bool,
    /// `--map-queue`: its queue of the interface
    pub map_queue: bool,
}

fn reference(option: &mut Arguments<'_>) -> Result<Option<SetReference>, ArgumentError> {
    let name = option.text()?;
    Ok(Some(SetReference { name, dimensions: option.next()? }))
}

impl Extension for SetTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--add-set" => self.add = reference(option)?,
            b"--del-set" => self.delete = reference(option)?,
            b"--map-set" => self.map = reference(option)?,
            b"--exist" => self.exist = option.flag()?,
            b"--timeout" => self.timeout = Some(option.value()?),
            b"--map-mark" => self.map_mark = option.flag()?,
            b"--map-prio" => self.map_prio = option.flag()?,
            b"--map-queue" => self.map_queue = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let set = |out: &mut OptionWriter, name, set: Option<&SetReference>| {
            if let Some(SetReference { name: of, dimensions }) = set {
                let values = vec![OptionValue::Raw(of.clone()), OptionValue::Bare(dimensions.to_string())];
                out.push(name, false, values);
            }
        };
        set(out, "--add-set", self.add.as_ref());
        out.flag("--exist", self.exist);
        out.value("--timeout", self.timeout);
        set(out, "--del-set", self.delete.as_ref());
        set(out, "--map-set", self.map.as_ref());
        out.flag("--map-mark", self.map_mark);
        out.flag("--map-prio", self.map_prio);
        out.flag("--map-queue", self.map_queue);
    }

    fn missing(&self) -> Option<&'static str> {
        let none = self.add.is_none() && self.delete.is_none() && self.map.is_none();
        none.then_some("--add-set, --del-set or --map-set")
    }
}
