//! A table as HTML that stands on its own: no style sheet, nothing from a network. A click on a column's head sorts by it, where all
//! rows are shown and the page may run scripts; otherwise the rows keep their order. However wide the frame, the page stays small.

use super::columns::TextColumn;
use crate::format;

const TABLE: &str = "border-collapse:collapse;font-variant-numeric:tabular-nums";
/// A table of more rows than are shown unless asked for scrolls under its head.
const FRAME: &str = "max-height:48em;overflow:auto";
const HEAD: &str = "position:sticky;top:0;background:Canvas;vertical-align:bottom";
/// Sorts the rows by the clicked column, numbers by value, the other way round when clicked again; what has no value comes last.
const SORT: &str = "const h=event.target.closest('th');if(!h)return;const b=h.closest('table').tBodies[0],i=h.cellIndex,u=h.dataset.up=h.dataset.up==='1'?'0':'1',\
    t=r=>r.cells[i].textContent,n=s=>s.replace(/,/g,''),e=s=>s==='–';\
    [...b.rows].sort((x,y)=>{const a=t(x),c=t(y);if(e(a)||e(c))return e(a)-e(c);\
    const d=n(a)!==''&&n(c)!==''&&!isNaN(n(a))&&!isNaN(n(c))?n(a)-n(c):a.localeCompare(c);return u==='1'?d:-d})\
    .forEach(r=>b.append(r))";
/// Columns that are shown.
const MOST_COLUMNS: usize = 50;
/// Letters of a text that are shown.
const MOST_LETTERS: usize = 1_000;
/// Half seen through, so that it suits light and dark pages.
const CELL: &str = "padding:.2em .8em;border-bottom:1px solid rgb(128 128 128/.25)";
const MUTED: &str = "font-weight:normal;opacity:.65";
/// Dates and numbers stay on one line, however narrow the page; the table scrolls. Texts may take several.
const ONE_LINE: &str = "white-space:nowrap";
const SEVERAL_LINES: &str = "max-width:40em;overflow-wrap:anywhere";

/// The rows of `columns`, all of equal length, with a row of dots before the row `gap`.
pub(crate) fn table(columns: &[TextColumn], gap: Option<usize>, height: usize) -> String {
    let rows = columns.first().map_or(0, |column| column.values.len());
    let (all, columns) = (columns.len(), &columns[..columns.len().min(MOST_COLUMNS)]);
    // Sorting some of the rows would look as if all had been sorted.
    let (sort, hint) = match gap {
        None => (format!(" style=\"cursor:pointer\" onclick=\"{SORT}\""), "; click to sort"),
        Some(_) => (String::new(), ""),
    };
    let mut html = format!("<div style=\"{FRAME}\"><table style=\"{TABLE}\"><thead><tr{sort}>");
    for column in columns {
        let (name, kind, align) = (shortened(&column.name), shortened(&column.kind), align(column));
        html.push_str(&format!(
            "<th title=\"{kind}{hint}\" style=\"{CELL};{HEAD};text-align:{align}\">{name}\
             <br><span style=\"{MUTED}\">{kind}</span></th>"
        ));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in 0..rows {
        if gap == Some(row) {
            html.push_str(&row_of(columns, |_| "⋮".to_owned()));
        }
        html.push_str(&row_of(columns, |column| {
            column.values[row].as_deref().map_or_else(|| "–".to_owned(), shortened)
        }));
    }
    let unit = if height == 1 { "row" } else { "rows" };
    let shown = gap.map_or_else(String::new, |_| format!(", {} of them shown", format::count(rows as u64)));
    let hidden = match all > columns.len() {
        true => format!("; {} columns, the first {} of them shown", format::count(all as u64), columns.len()),
        false => String::new(),
    };
    html.push_str(&format!(
        "</tbody></table></div>\n<p style=\"{MUTED}\">{} {unit}{shown}{hidden}</p>\n",
        format::count(height as u64)
    ));
    html
}

/// The beginning of a text, and how long it is, as text that is no markup.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => {
            format!("{}… ({} letters)", escaped(&text[..end]), format::count(text.chars().count() as u64))
        }
        None => escaped(text),
    }
}

fn row_of(columns: &[TextColumn], text: impl Fn(&TextColumn) -> String) -> String {
    let cells = columns.iter().map(|column| {
        let lines = if column.is_text { SEVERAL_LINES } else { ONE_LINE };
        format!("<td style=\"{CELL};{lines};text-align:{}\">{}</td>", align(column), text(column))
    });
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
    use polars::prelude::{Column, DataFrame, df};

    #[test]
    fn only_a_table_of_all_rows_is_sorted_by_a_click() {
        let frame = df!("n" => (0..30_i64).collect::<Vec<_>>(), "m" => vec![1_i64; 30]).expect("a frame");
        let (some, all) = (Table::new(&frame).html(), Table::new(&frame).rows(30).html());
        assert!(!some.contains("onclick") && !some.contains("click to sort") && !some.contains("cursor"), "{some}");
        assert!(some.ends_with(">30 rows, 20 of them shown</p>\n"), "{some}");
        assert_eq!((all.matches("onclick").count(), all.matches("click to sort").count()), (1, 2));
        assert!(all.ends_with(">30 rows</p>\n"), "{all}");
    }

    #[test]
    fn a_wide_frame_and_a_long_text_are_a_small_page() {
        let column = |place: usize| Column::new(format!("c{place}").as_str().into(), [place as i64]);
        let wide = DataFrame::new(1, (0..2_000).map(column).collect()).expect("a frame");
        let html = Table::new(&wide).html();
        assert!(html.len() < 50_000, "{}", html.len());
        assert!(html.ends_with(">1 row; 2,000 columns, the first 50 of them shown</p>\n"), "{html}");
        let long = Table::new(&df!("t" => ["<y>".repeat(1_000_000)]).expect("a frame")).html();
        assert!(
            long.len() < 20_000 && long.contains("… (3,000,000 letters)") && !long.contains("<y>"),
            "{}",
            long.len()
        );
    }

    #[test]
    fn data_is_never_markup() {
        let frame = df!("<b>" => ["<script>alert(\"1\")</script>"]).expect("a frame");
        let html = Table::new(&frame).html();
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"), "{html}");
    }
}
