//! Tables in Markdown, padded so that they can be read in a terminal as well.

use std::fmt;

/// A table: a head and rows, whose cells are all text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this head and no rows yet.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Table {
        Table { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. Cells beyond the head are left out, missing ones are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| escaped(&cell.into())).collect();
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The widest cell of each column, in characters.
    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = std::iter::once(&self.head).chain(&self.rows).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.head.len()).map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let line = |formatter: &mut fmt::Formatter<'_>, cells: &[String]| {
            for (cell, width) in cells.iter().zip(&widths) {
                write!(formatter, "| {cell:<width$} ")?;
            }
            formatter.write_str("|\n")
        };
        line(formatter, &self.head)?;
        for width in &widths {
            write!(formatter, "|{}", "-".repeat(width + 2))?;
        }
        formatter.write_str("|\n")?;
        self.rows.iter().try_for_each(|row| line(formatter, row))
    }
}

/// A bar would end the cell, a line end the table.
fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["what", "µs"]);
        table.row(["a|b", "1"]);
        table.row(["c"]);

        assert_eq!(table.to_string(), "| what | µs |\n|------|----|\n| a\\|b | 1  |\n| c    |    |\n");
    }
}
