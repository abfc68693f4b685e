//! hookwalk-testkit
