//! Prints the table of all settings of the plugin configuration, as it stands in the README.
//!
//! `cargo xtask check` compares the two: after a change of a setting, paste what this prints.

use tributary_filter::{SETTINGS, config::Allowed};

fn main() {
    println!("| Setting | Default | Allowed | Meaning |\n|---|---|---|---|");
    for setting in SETTINGS {
        let default = match setting.allowed {
            Allowed::Number { default, .. } => format!("`{default}`"),
            Allowed::Text { default: Some(default), .. } => format!("`{default}`"),
            Allowed::Text { default: None, .. } => "must be set".to_owned(),
            Allowed::OptionalText { .. } | Allowed::List { .. } => "none".to_owned(),
            Allowed::Flag { default } => format!("`{default}`"),
            Allowed::Choice { words } => format!("`{}`", words.first().copied().unwrap_or_default()),
            // Its fields have rows of their own.
            Allowed::Object => continue,
        };
        println!("| `{}` | {default} | {} | {} |", setting.name, setting.allowed, setting.meaning);
    }
}
