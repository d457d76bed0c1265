//! Showing that a long step is under way, on standard error only.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A spinner that disappears when it is dropped.
pub struct Spinner(ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows `message` with the time that has passed, until the result is dropped.
pub fn spinner(message: impl Into<Cow<'static, str>>) -> Spinner {
    let message = message.into();
    let bar = ProgressBar::new_spinner();
    if bar.is_hidden() {
        eprintln!("{message} …");
    }
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(120));
    Spinner(bar)
}
