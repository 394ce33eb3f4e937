//! Rules of the repository that a test can hold.

#[cfg(test)]
mod files;
#[cfg(test)]
mod rooms;
