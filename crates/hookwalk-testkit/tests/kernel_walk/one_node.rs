//! A node with the rules of both backends.

use std::collections::BTreeMap;

use hookwalk::{Case, Engine, parse};
use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{Arbiter as _, Backend, Context, EngineArbiter, KernelArbiter, Scene, Shot};
use hookwalk_testkit::packets::aimed_at;
use hookwalk_testkit::ruleset::Ruleset;
use hookwalk_testkit::topology::Topology;

use crate::common::{has_kernel, host, is_ci, setting};
