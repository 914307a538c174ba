//! The compose file: looked at in every `check`, run for real by `cargo xtask compose`.

mod files;
mod run;

pub(crate) use files::look;
pub(crate) use run::run;
