//! Storage in memory that can fail and crash in every way that the log must survive.
