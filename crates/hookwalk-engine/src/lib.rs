//! hookwalk-engine
