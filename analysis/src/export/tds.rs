//! `TABLE.tds`: a data source that Tableau opens on the CSV, with types, roles, default aggregations and captions.
//!
//! A `.tds` is the `<datasource>` element of a workbook as a file of its own. Its elements, their order, the attributes and their
//! values are those of Tableau's XML schema of workbooks (`twb_2026.2.0.xsd`, types `DataSource-CT`, `Column-G`, `Relation-G`,
//! `RelationColumns-G`, `DataSource-Calculation-G`; published in `tableau/tableau-document-schemas`). The schema leaves the
//! attributes of connections open; those here are what Tableau itself writes for a text file: class `textscan` within a federated
//! connection. The folder is `.`, the one of the `.tds`, so that an export can be moved and shared.

use std::fmt::Write;

use super::{
    meaning::{self, aggregation, caption, sentence_case, tableau_type},
    selection::OutputColumn,
};
use crate::{
    format,
    load::{ColumnRole, ColumnType, TableInfo},
};

/// The oldest version whose files Tableau 2018.1 and everything after it opens.
const VERSION: &str = "18.1";

/// The data source over `files`, each with these columns: one file, or the years of a partitioned table.
pub(crate) fn text(table: &TableInfo, columns: &[OutputColumn], files: &[String]) -> String {
    let mut xml = Xml::default();
    xml.line("<?xml version='1.0' encoding='utf-8' ?>");
    let name = &table.name;
    xml.open(
        "datasource",
        &[
            ("caption", &sentence_case(name)),
            ("formatted-name", &format!("federated.{name}")),
            ("inline", "true"),
            ("version", VERSION),
            ("xmlns:user", "http://www.tableausoftware.com/xml/user"),
        ],
    );
    connection(&mut xml, name, columns, files);
    xml.empty("aliases", &[("enabled", "yes")]);
    for column in columns {
        field(&mut xml, column);
    }
    means(&mut xml, columns);
    xml.empty("layout", &[("dim-ordering", "ordinal"), ("measure-ordering", "ordinal"), ("show-structure", "true")]);
    xml.close();
    xml.text
}

fn connection(xml: &mut Xml, name: &str, columns: &[OutputColumn], files: &[String]) {
    xml.open("connection", &[("class", "federated")]);
    xml.open("named-connections", &[]);
    for (place, file) in files.iter().enumerate() {
        let (folder, file) = file.rsplit_once('/').unwrap_or((".", file));
        xml.open("named-connection", &[("caption", file), ("name", &connection_name(name, place))]);
        let attributes =
            [("class", "textscan"), ("directory", folder), ("filename", file), ("password", ""), ("server", "")];
        xml.empty("connection", &attributes);
        xml.close();
    }
    xml.close();
    match files {
        [file] => relation(xml, &connection_name(name, 0), columns, file),
        _ => {
            xml.open("relation", &[("all", "true"), ("name", name), ("type", "union")]);
            relation_columns(xml, columns);
            for (place, file) in files.iter().enumerate() {
                relation(xml, &connection_name(name, place), columns, file);
            }
            xml.close();
        }
    }
    xml.close();
}

fn connection_name(table: &str, place: usize) -> String {
    format!("textscan.{table}.{place}")
}

fn relation(xml: &mut Xml, connection: &str, columns: &[OutputColumn], file: &str) {
    let file = file.rsplit_once('/').map_or(file, |(_, file)| file);
    // Tableau writes a file's name with # for the dot of its extension.
    let table = format!("[{}]", file.replace('.', "#"));
    xml.open("relation", &[("connection", connection), ("name", file), ("table", &table), ("type", "table")]);
    relation_columns(xml, columns);
    xml.close();
}

fn relation_columns(xml: &mut Xml, columns: &[OutputColumn]) {
    let form = [("character-set", "UTF-8"), ("header", "yes"), ("locale", "en_US"), ("separator", ",")];
    xml.open("columns", &form);
    for (place, column) in columns.iter().enumerate() {
        let place = place.to_string();
        let kind = tableau_type(column);
        xml.empty("column", &[("datatype", kind), ("name", &column.name), ("ordinal", &place)]);
    }
    xml.close();
}

fn field(xml: &mut Xml, column: &OutputColumn) {
    let (name, caption) = (bracketed(&column.name), caption(column));
    let mut attributes = Vec::with_capacity(8);
    let aggregation = aggregation(column.role());
    if let Some(aggregation) = aggregation {
        attributes.push(("aggregation", aggregation.tableau_name()));
    }
    attributes.extend([("caption", caption.as_str()), ("datatype", tableau_type(column))]);
    // What only a refresh needs would stand in the way of a person.
    if column.role() == ColumnRole::Revision {
        attributes.push(("hidden", "true"));
    }
    let role = if aggregation.is_some() { "measure" } else { "dimension" };
    attributes.extend([("name", name.as_str()), ("role", role), ("type", field_type(column))]);
    xml.open("column", &attributes);
    description(xml, &meaning::description(&column.source));
    xml.close();
}

fn field_type(column: &OutputColumn) -> &'static str {
    match column.kind() {
        _ if aggregation(column.role()).is_some() => "quantitative",
        ColumnType::String | ColumnType::StringList | ColumnType::Bool => "nominal",
        _ => "ordinal",
    }
}

/// For each measure with a sum and a count a field with its mean over any number of rows, which no aggregation of the column of
/// means gives.
fn means(xml: &mut Xml, columns: &[OutputColumn]) {
    for sum in columns.iter().filter(|column| column.role() == ColumnRole::Sum) {
        let counts =
            |column: &&OutputColumn| column.role() == ColumnRole::Count && column.source.measure == sum.source.measure;
        let (Some(count), Some(measure)) = (columns.iter().find(counts), &sum.source.measure) else {
            continue;
        };
        let name = format!("[Mean of {} over rows]", measure.replace(']', "]]"));
        let caption = format!("{} mean, over all rows", sentence_case(measure));
        let formula = format!("SUM({}) / SUM({})", bracketed(&sum.name), bracketed(&count.name));
        let attributes = [
            ("caption", caption.as_str()),
            ("datatype", "real"),
            ("default-format", "n#,##0.00;-#,##0.00"),
            ("name", name.as_str()),
            ("role", "measure"),
            ("type", "quantitative"),
        ];
        xml.open("column", &attributes);
        xml.empty("calculation", &[("class", "tableau"), ("formula", &formula)]);
        description(xml, &format!("Mean of {measure}, right for any number of rows."));
        xml.close();
    }
}

fn description(xml: &mut Xml, text: &str) {
    xml.line(&format!("<desc><formatted-text><run>{}</run></formatted-text></desc>", escaped(text)));
}

/// A field's name as formulas and columns have it.
fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// An XML text under way.
#[derive(Default)]
struct Xml {
    text: String,
    open: Vec<String>,
}

impl Xml {
    fn line(&mut self, line: &str) {
        writeln!(self.text, "{:1$}{line}", "", self.open.len() * 2).expect("writing to a String cannot fail");
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.line(&format!("<{name}{}>", written(attributes)));
        self.open.push(name.to_owned());
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.line(&format!("<{name}{} />", written(attributes)));
    }

    fn close(&mut self) {
        let name = self.open.pop().expect("what is closed was opened");
        self.line(&format!("</{name}>"));
    }
}

fn written(attributes: &[(&str, &str)]) -> String {
    attributes.iter().map(|(name, value)| format!(" {name}='{}'", escaped(value))).collect()
}

fn escaped(text: &str) -> String {
    let text = format::one_line(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{options::Settings, selection::select};
    use crate::load::tests::movies_by_month;

    fn tds(settings: &Settings, files: &[&str]) -> String {
        let table = TableInfo::new(movies_by_month(), 0);
        let columns = select(&table.name, &table.columns, settings).expect("columns");
        text(&table, &columns, &files.iter().map(|&file| file.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_data_source_over_one_file() {
        insta::assert_snapshot!(tds(&Settings::default(), &["movies_by_month.csv"]));
    }

    #[test]
    fn years_are_a_union_of_files_in_their_folder() {
        let settings = Settings { columns: vec!["window_start".into(), "reviews".into()], ..Settings::default() };
        let text = tds(&settings, &["movies_by_month/1969.csv", "movies_by_month/1970.csv"]);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn names_of_any_kind_are_escaped() {
        let settings =
            Settings { renames: vec![("movie".into(), "<Film> & 'co' [기]".into())], ..Settings::default() };
        let text = tds(&settings, &["movies_by_month.csv"]);
        assert!(text.contains("name='[&lt;Film&gt; &amp; &apos;co&apos; [기]]]'"), "{text}");
    }
}
