//! hookwalk
