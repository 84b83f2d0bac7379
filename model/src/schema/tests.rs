use super::*;

const BASE: &str = r#"
stream = "flows"
id = ["id"]
event_time = "day"
[fields]
id = { type = "string" }
day = { type = "date" }
"#;

fn schema(more: &str) -> Result<Schema, SchemaError> {
    Schema::parse("flows", &format!("{BASE}{more}"))
}

fn refused(more: &str) -> String {
    schema(more).expect_err(more).to_string()
}

fn range(schema: &Schema, name: &str) -> FieldKind {
    schema.field(name).unwrap().kind.clone()
}

#[test]
fn int_ranges_are_exact() {
    for (range_of, first, last) in [
        ("[1, 10]", 1, 10),
        ("[9007199254740993, 9223372036854775807]", 9_007_199_254_740_993, i64::MAX),
        ("[-9223372036854775808, 9223372036854775806]", i64::MIN, i64::MAX - 1),
        ("[0.5, 10.5]", 1, 10),
        ("[0, inf]", 0, i64::MAX),
        ("[-inf, 1e300]", i64::MIN, i64::MAX),
    ] {
        let schema = schema(&format!("n = {{ type = \"int\", range = {range_of} }}")).unwrap();
        assert_eq!(range(&schema, "n"), FieldKind::Int(NumberRange { first, last }), "{range_of}");
    }
    for wrong in ["[10, 1]", "[1.2, 1.8]", "[nan, 1]", "[\"1\", 2]", "[1]", "[1, 2, 3]"] {
        let message = refused(&format!("n = {{ type = \"int\", range = {wrong} }}"));
        assert!(message.contains("fields.n"), "{message}");
    }
    let float = schema("x = { type = \"float\", range = [0, 1.5] }").unwrap();
    assert_eq!(range(&float, "x"), FieldKind::Float(NumberRange { first: 0.0, last: 1.5 }));
}

#[test]
fn names_that_differ_only_by_case_are_refused() {
    for (more, parts) in [
        ("Day = { type = \"int\" }", ["\"day\"", "\"Day\""]),
        ("\"straße\" = { type = \"int\" }\n\"STRAßE\" = { type = \"int\" }", ["\"straße\"", "\"STRAßE\""]),
        (
            "a = { type = \"int\" }\nA_sum = { type = \"int\" }\n[[rollups]]\nname = \"r\"\nwindow = \"day\"\nkeys = [\"A_sum\"]\nmeasures = [\"a\"]",
            ["\"A_sum\"", "\"a_sum\""],
        ),
        (
            "Flows = { type = \"int\" }\n[[rollups]]\nname = \"r\"\nwindow = \"day\"\nkeys = [\"Flows\"]",
            ["\"Flows\"", "\"flows\""],
        ),
        (
            "[[rollups]]\nname = \"Daily\"\nwindow = \"day\"\n[[rollups]]\nname = \"daily\"\nwindow = \"month\"",
            ["\"Daily\"", "\"daily\""],
        ),
    ] {
        let message = refused(more);
        assert!(parts.iter().all(|part| message.contains(part)) && message.contains("case"), "{message}");
    }
    assert!(refused("[[rollups]]\nname = \"Events\"\nwindow = \"day\"").contains("\"events\" is a collection"));
}

#[test]
fn names_of_rollups_fit_into_collections_and_files() {
    let named = |name: &str| schema(&format!("[[rollups]]\nname = \"{name}\"\nwindow = \"day\""));
    assert!(named(&"r".repeat(120)).is_ok());
    let message = named(&"r".repeat(250)).unwrap_err().to_string();
    assert!(message.contains("250 bytes") && message.contains("120"), "{message}");
    for wrong in ["system.views", "a$b", "a.b", "a/b", "..", "", "NUL", "com1", "größe", "a b"] {
        assert!(named(wrong).is_err(), "{wrong}");
    }
    for right in ["com", "com10", "nulls", "by-day", "_x"] {
        assert!(named(right).is_ok(), "{right}");
    }
}

#[test]
fn settings_of_a_field_are_refused_where_they_mean_nothing() {
    for (more, part) in [
        ("n = { type = \"string\", decimal = \",\" }", "`decimal` is for int and float"),
        ("n = { type = \"int\", decimal = \";\" }", "use \".\""),
        ("n = { type = \"string\", allow_blank = true }", "`allow_blank` is for fields of the id"),
        ("n = { derive = { year = \"day\" }, decimal = \",\" }", "takes no `decimal`"),
    ] {
        let message = refused(more);
        assert!(message.contains(part), "{message}");
    }
    assert!(Schema::parse("x", &format!("decimal = \"x\"{BASE}")).is_err());
}

fn table_of(names: &str, keys: &str, measures: &str, distinct: &str) -> String {
    let rollup = format!(
        "[[rollups]]\nname = \"r\"\nwindow = \"day\"\nkeys = [{keys}]\nmeasures = [{measures}]\ndistinct = [{distinct}]"
    );
    let schema = schema(&format!("{names}\n{rollup}")).unwrap();
    schema.rollups().tables()[0].id().to_owned()
}

#[test]
fn tables_of_stored_states_keep_their_names() {
    for (names, keys, measures, distinct, id) in [
        (
            "a = { type = \"string\" }\nn = { type = \"int\" }",
            "\"a\"",
            "\"n\"",
            "\"a\"",
            "flows/day/a/n:int,distinct a",
        ),
        ("\"p%q\" = { type = \"string\" }", "\"p%q\"", "", "", "flows/day/p%q/"),
        ("\"a b\" = { type = \"int\", range = [1, 10] }", "", "\"a b\"", "", "flows/day//a b:1..10"),
        ("\"dc:title\" = { type = \"string\" }", "\"dc:title\"", "", "", "flows/day/dc:title/"),
        ("\"a,b\" = { type = \"string\" }", "\"a,b\"", "", "", "flows/day/a:2c:b/"),
        ("\"a/b\" = { type = \"float\" }", "", "\"a/b\"", "", "flows/day//a:2f:b:float"),
        ("\"a:int\" = { type = \"string\" }", "\"a:int\"", "", "", "flows/day/a:3a:int/"),
        ("\"distinct a\" = { type = \"float\" }", "", "\"distinct a\"", "", "flows/day//distinct:20:a:float"),
    ] {
        assert_eq!(table_of(names, keys, measures, distinct), id, "{names}");
    }
}

/// Groupings by different fields have different tables, whatever the fields are called.
#[test]
fn no_two_groupings_share_a_table() {
    const NAMES: [&str; 16] = [
        "a",
        "b",
        "a,b",
        "a/b",
        "/",
        ",",
        "a:int",
        "b:int",
        "a:3a:int",
        "a:2c:b",
        "distinct a",
        "distinct:20:a",
        "x/a",
        "a,",
        ":",
        "a:",
    ];
    const TYPES: [&str; 3] = ["type = \"string\"", "type = \"int\"", "type = \"int\", range = [1, 9]"];
    let mut seen = std::collections::HashMap::new();
    for key_type in TYPES {
        for measure_type in &TYPES[1..] {
            let groupings = NAMES.iter().flat_map(|first| NAMES.iter().map(move |second| (*first, *second)));
            for (first, second) in groupings.filter(|(first, second)| first != second) {
                for (keys, measures) in
                    [(vec![first, second], vec![]), (vec![first], vec![second]), (vec![], vec![second])]
                {
                    let field = |name: &str, kind: &str| format!("\"{name}\" = {{ {kind} }}\n");
                    let types = |name: &str| if measures.contains(&name) { measure_type } else { key_type };
                    let fields: String = [first, second].map(|name| field(name, types(name))).concat();
                    let quoted =
                        |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
                    let id = table_of(&fields, &quoted(&keys), &quoted(&measures), "");
                    // The range of a key changes no state.
                    let key = |name: &&str| (name.to_string(), types(name).split(',').next().map(str::to_owned));
                    let measure = |name: &&str| (name.to_string(), types(name).to_string());
                    let grouping =
                        (keys.iter().map(key).collect::<Vec<_>>(), measures.iter().map(measure).collect::<Vec<_>>());
                    let before = seen.insert(id.clone(), grouping.clone());
                    assert!(
                        before.is_none_or(|before| before == grouping),
                        "{id} is of two groupings, one is {grouping:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_version_follows_the_text() {
    let schema = |toml: &str| Schema::parse("x", toml).unwrap().version().to_owned();
    assert_eq!(schema(IMDB_REVIEW), schema(IMDB_REVIEW));
    assert_ne!(schema(IMDB_REVIEW), schema(&format!("{IMDB_REVIEW}\n")));
    assert_eq!(version_of(""), "2d06800538d394c2", "what is stored must stay comparable");
}

#[test]
fn the_definition_follows_the_meaning() {
    let definition = |toml: &str| Schema::parse("x", toml).unwrap().definition().to_owned();
    let same = format!("# a comment\n{}", IMDB_REVIEW.replace(" = ", "  =  "));
    assert_eq!(definition(IMDB_REVIEW), definition(&same));
    assert_ne!(definition(IMDB_REVIEW), definition(&format!("idle_timeout = \"5s\"\n{IMDB_REVIEW}")));
    let of = |toml: &str| definition_of("x", toml).unwrap();
    assert_eq!(of("b = [{ d = 1, c = 2 }]\na = 1"), of("a = 1\nb = [{ c = 2, d = 1 }]"), "the order of the keys");
    assert_ne!(of("a = [1, 2]"), of("a = [2, 1]"));
    assert_eq!(
        of("a = 1"),
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(br#"{"a":1}"#)),
        "what is stored must stay comparable"
    );
}
