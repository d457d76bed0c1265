//! The report: one self-contained HTML page, and Markdown tables, from the results of a run.
//!
//! * [`verdict`]: what a ratio says, and how many rows say it
//! * [`number`]: figures as text
//! * [`plots`]: SVG pictures
//! * [`html`], [`markdown`]: the page and the tables
//! * [`history`]: past results, which are kept in a folder
//!
//! A row that is missing is shown as one that was measured, and one that is worse as one that is better.

pub mod history;
pub mod html;
pub mod markdown;
pub mod number;
pub mod plots;
pub mod verdict;

#[cfg(test)]
pub(crate) mod fixtures;

use std::collections::HashSet;

use crate::results::{Figure, Row};
use crate::suites;

/// The rows that stand for all: those of the README's table and of the history.
#[derive(Clone, Debug, Default)]
pub struct Headlines {
    /// Suite, name and parameters; `None` is every row.
    keys: Option<HashSet<(String, String, String)>>,
}

impl Headlines {
    /// The rows of these suites, names and parameters.
    pub fn new(keys: impl IntoIterator<Item = (String, String, String)>) -> Self {
        Self { keys: Some(keys.into_iter().collect()) }
    }

    /// The rows that the suites of this program call so.
    pub fn of_suites() -> Self {
        let rows = suites::all().into_iter().flat_map(|suite| {
            let rows = suite.cases.into_iter().flat_map(|case| case.rows);
            rows.filter(|row| row.headline)
                .map(move |row| (suite.name.to_owned(), row.name, row.label))
        });
        Self::new(rows)
    }

    /// Every row.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether `row` is one of them.
    pub fn contains(&self, row: &Row) -> bool {
        let key = (row.suite.clone(), row.name.clone(), row.label.clone());
        self.keys.as_ref().is_none_or(|keys| keys.contains(&key))
    }
}

/// A figure's name in headings.
pub fn figure_name(figure: Figure) -> &'static str {
    match figure {
        Figure::Instructions => "Instructions",
        Figure::WallClock => "Wall-clock",
    }
}

/// `1 CPU`, `2 CPUs`.
pub fn cpus(count: u32) -> String {
    if count == 1 { "1 CPU".to_owned() } else { format!("{count} CPUs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headlines_are_what_the_suites_call_so() {
        let headlines = Headlines::of_suites();
        let mut row = fixtures::row("lat_pipe", &[1.0], &[1.0]);
        assert!(headlines.contains(&row));
        row.label = "with parameters that no suite has".into();
        assert!(!headlines.contains(&row));
        assert!(Headlines::all().contains(&row));
    }
}
