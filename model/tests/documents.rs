//! Checks the documents against the code: the schema reference names the keys that serde accepts and no others, examples of schemas
//! compile, and links, paths and names of tests and types exist.

mod keys;

use model::schema::Schema;
use model::schema::file::{FieldRule, SchemaFile};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first cell of each row of the tables that follow `<!-- keys: TYPE -->`, by type.
fn documented_keys(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    text.split("<!-- keys: ")
        .skip(1)
        .map(|section| {
            let (name, rest) = section.split_once(" -->").expect("the marker ends");
            let rows = rest.trim_start().lines().take_while(|line| line.starts_with('|'));
            let keys = rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`').map(|(key, _)| key));
            (name, keys.collect())
        })
        .collect()
}

#[test]
fn the_schema_reference_names_every_key_and_no_other() {
    let text = read("docs/schema.md");
    let mut accepted = keys::of::<SchemaFile>();
    accepted.extend(keys::of::<FieldRule>());
    let accepted: BTreeMap<_, BTreeSet<_>> =
        accepted.into_iter().map(|(name, keys)| (name, keys.iter().copied().collect())).collect();
    assert!(accepted.len() >= 9, "the tracer found {:?}", accepted.keys());
    assert_eq!(documented_keys(&text), accepted);
}

/// The TOML blocks of a document.
fn toml_blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```toml\n").skip(1).map(|block| block.split("```").next().expect("split gives at least one part"))
}

/// `more` over `base`; `fields` are added to those of the base.
fn merged(mut base: toml::Table, more: toml::Table) -> toml::Table {
    for (key, value) in more {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(there)), toml::Value::Table(fields)) => there.extend(fields),
            (_, value) => drop(base.insert(key, value)),
        }
    }
    base
}

/// A block without `stream` is a part of `schemas/readings.toml`.
#[test]
fn the_schemas_in_documents_compile() {
    let base: toml::Table = toml::from_str(&read("schemas/readings.toml")).unwrap();
    let mut checked = 0;
    for document in ["README.md", "docs/schema.md", "docs/time.md", "docs/values.md"] {
        for block in toml_blocks(&read(document)).filter(|block| !block.contains("brokers")) {
            let table: toml::Table = toml::from_str(block).unwrap_or_else(|error| panic!("{document}: {error}"));
            let whole = if table.contains_key("stream") { table } else { merged(base.clone(), table) };
            let text = toml::to_string(&whole).unwrap();
            Schema::parse(document, &text).unwrap_or_else(|error| panic!("{error}\n{block}"));
            checked += 1;
        }
    }
    assert!(checked >= 3, "only {checked} schemas were found");
}

fn sources(folder: &Path, texts: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

fn code(folders: &[&str]) -> String {
    let mut code = String::new();
    folders.iter().for_each(|folder| sources(&Path::new(ROOT).join(folder), &mut code));
    code
}

#[test]
fn names_that_are_to_be_renamed_exist() {
    let text = read("docs/glossary.md");
    let (_, renames) = text.split_once("## Renames").expect("the glossary lists renames");
    let names: Vec<_> =
        renames.lines().filter_map(|row| row.strip_prefix("| `")?.split_once('`').map(|(name, _)| name)).collect();
    assert!(!names.is_empty());
    let code = code(&["model/src", "ingest/src"]);
    let words: BTreeSet<&str> =
        code.split(|character: char| !character.is_alphanumeric() && character != '_').collect();
    for name in names {
        let exists = match name.contains('/') {
            true => Path::new(ROOT).join(name).exists(),
            false => name.split("::").all(|part| words.contains(part)),
        };
        assert!(exists, "docs/glossary.md: {name} no longer exists; remove its row");
    }
}

/// All documents, as paths from the root.
fn documents() -> Vec<PathBuf> {
    let folders = [".", "docs", "notebooks"].map(|folder| fs::read_dir(Path::new(ROOT).join(folder)).unwrap());
    let paths = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|&character| character.is_alphanumeric() || matches!(character, '-' | '_')).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { document.clone() } else { document.with_file_name(path) };
            assert!(path.exists(), "{}: {target} does not exist", document.display());
            if !heading.is_empty() {
                let there = anchors(&fs::read_to_string(&path).unwrap());
                assert!(there.contains(heading), "{}: {target}: no such heading", document.display());
            }
        }
    }
}
/// Texts between backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Paths are written from the root, and names with at least four underscores are tests.
#[test]
fn paths_and_tests_that_documents_name_exist() {
    let code = code(&["files", "model", "ingest", "analysis", "stack", "faults", "fuzz"]);
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(document);
        for span in code_spans(&text) {
            let is_path =
                span.contains('/') && !span.contains([' ', '*', '<', ':', '…']) && !span.starts_with(['/', '~']);
            if is_path && (span.ends_with(['/']) || span.ends_with(".rs") || span.ends_with(".toml")) {
                assert!(Path::new(ROOT).join(span).exists(), "{document}: {span} does not exist");
            }
            let is_word = span.chars().all(|character| character.is_ascii_lowercase() || character == '_');
            if is_word && span.matches('_').count() >= 4 {
                assert!(code.contains(&format!("fn {span}(")), "{document}: there is no test {span}");
            }
        }
    }
}
