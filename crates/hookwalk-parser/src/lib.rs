//! hookwalk-parser
