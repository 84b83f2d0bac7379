//! A table as HTML that stands on its own: no script, no style sheet.

use super::columns::TextColumn;
use crate::format;

const TABLE: &str = "border-collapse:collapse;font-variant-numeric:tabular-nums";
const CELL: &str = "padding:.2em .8em;border-bottom:1px solid #e4e7eb";

/// The rows of `columns`, all of equal length, with a row of dots before the row `gap`.
pub(crate) fn table(columns: &[TextColumn], gap: Option<usize>, height: usize) -> String {
    let rows = columns.first().map_or(0, |column| column.values.len());
    let mut html = format!("<table style=\"{TABLE}\"><thead><tr>");
    for column in columns {
        let (name, kind, align) = (escaped(&column.name), escaped(&column.kind), align(column));
        html.push_str(&format!("<th style=\"{CELL};text-align:{align}\" title=\"{kind}\">{name}</th>"));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in 0..rows {
        if gap == Some(row) {
            html.push_str(&row_of(columns, |_| "⋮".to_owned()));
        }
        html.push_str(&row_of(columns, |column| column.values[row].as_deref().map_or_else(|| "–".to_owned(), escaped)));
    }
    let unit = if height == 1 { "row" } else { "rows" };
    html.push_str(&format!(
        "</tbody></table>\n<p style=\"color:#616e7c\">{} {unit}</p>\n",
        format::count(height as u64)
    ));
    html
}

fn row_of(columns: &[TextColumn], text: impl Fn(&TextColumn) -> String) -> String {
    let cells =
        columns.iter().map(|column| format!("<td style=\"{CELL};text-align:{}\">{}</td>", align(column), text(column)));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

fn align(column: &TextColumn) -> &'static str {
    if column.right { "right" } else { "left" }
}

/// Text that is no markup.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use crate::show::Table;
    use polars::prelude::df;

    #[test]
    fn data_is_never_markup() {
        let frame = df!("<b>" => ["<script>alert(\"1\")</script>"]).expect("a frame");
        let html = Table::new(&frame).html();
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"), "{html}");
    }
}
