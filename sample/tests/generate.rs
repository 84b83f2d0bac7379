//! Generated files are the same for the same options, have the form of the real ones, and their counts are right.

use sample::{GenerateOptions, TRUTH_FILE, generate};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::path::Path;

fn options(dir: &Path, rows: u64, seed: u64) -> GenerateOptions {
    GenerateOptions { duplicates: 40, bad: 25, ..GenerateOptions::new(dir.to_owned(), rows, seed) }
}

/// Name and content of each file in the folder.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    dir.read_dir()
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (name(&entry), fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn equal_options_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, seed| {
        let dir = folder.path().join(name);
        generate(&options(&dir, 2_000, seed)).unwrap();
        contents(&dir)
    };
    let first = made("a", 7);
    assert_eq!(first.len(), 7);
    assert_eq!(first, made("b", 7));
    assert_ne!(first, made("c", 8));
}

#[test]
fn a_known_seed_gives_known_bytes() {
    let folder = tempfile::tempdir().unwrap();
    generate(&options(folder.path(), 300, 1)).unwrap();
    // FNV-1a over all files in order of their names: a change of this value is a change of what every seed stands for.
    let hash = contents(folder.path())
        .values()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(format!("{hash:016x}"), "696758432245c301");
}

/// What a plain reading of the files counts, by text alone.
#[derive(Default)]
struct Recount {
    rows: u64,
    unrated: u64,
    duplicates: u64,
    bad: u64,
    reviews: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Recount {
    fn add(&mut self, group: &str, key: String, count: u64) {
        *self.reviews.entry(group.to_owned()).or_default().entry(key).or_default() += count;
    }

    fn count(&mut self, record: &Value, seen: &mut HashMap<String, Value>) {
        let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, date, rating) = (text("review_id"), text("review_date"), text("rating"));
        let parts: Vec<&str> = date.split(' ').collect();
        let months = "January February March April May June July August September October November December";
        let month = parts.get(1).and_then(|name| months.split(' ').position(|month| month == *name));
        let (Some(month), false, false) = (month, id.is_empty(), rating == "11") else {
            self.bad += 1;
            return;
        };
        if let Some(first) = seen.get(&id) {
            assert_eq!(first, record, "a repeat is an exact copy");
            self.duplicates += 1;
            return;
        }
        seen.insert(id, record.clone());
        self.rows += 1;
        self.unrated += u64::from(rating.is_empty());
        let day: u32 = parts[0].parse().unwrap();
        let month = format!("{}-{:02}", parts[2], month + 1);
        let ten_days = if day <= 10 {
            "1_10"
        } else if day <= 20 {
            "11_20"
        } else {
            "21_31"
        };
        self.add("years", parts[2].to_owned(), 1);
        self.add("reviews_by_decade", format!("{month}/{ten_days}"), 1);
        self.add("rating_sum_by_month", month.clone(), rating.parse().unwrap_or(0));
        self.add("reviews_by_month", month, 1);
    }
}

#[test]
fn the_counts_are_those_of_a_plain_reading() {
    let folder = tempfile::tempdir().unwrap();
    let report = generate(&options(folder.path(), 5_000, 3)).unwrap();
    let (mut recount, mut seen) = (Recount::default(), HashMap::new());
    let mut dates_in_order = true;
    let mut bytes = 0;
    for path in &report.files {
        let content = fs::read(path).unwrap();
        bytes += content.len() as u64;
        let records: Vec<Value> = serde_json::from_slice(&content).unwrap();
        records.iter().for_each(|record| recount.count(record, &mut seen));
        let years: Vec<_> =
            records.iter().filter_map(|record| record["review_date"].as_str()?.rsplit(' ').next()).collect();
        dates_in_order &= years.is_sorted();
    }
    let truth: Value = serde_json::from_slice(&fs::read(&report.truth).unwrap()).unwrap();
    assert_eq!((recount.rows, recount.duplicates, recount.bad), (5_000, 40, 25));
    for (name, count) in [("rows", recount.rows), ("unrated", recount.unrated), ("duplicates", 40), ("bad", 25)] {
        assert_eq!(truth[name], count, "{name}");
    }
    for (group, counts) in &recount.reviews {
        assert_eq!(truth[group], serde_json::to_value(counts).unwrap(), "{group}");
    }
    assert_eq!(truth.as_object().unwrap().len(), 4 + recount.reviews.len());
    assert_eq!(report.bytes, bytes);
    assert!(!dates_in_order);
}

#[test]
fn records_are_as_long_as_the_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let report = generate(&options(folder.path(), 5_000, 4)).unwrap();
    let mean = report.bytes / (5_000 + 40 + 25);
    assert!((1_400..1_700).contains(&mean), "{mean} bytes a record");
}

#[test]
fn compressed_files_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, packed) = (folder.path().join("plain"), folder.path().join("packed"));
    let plain = generate(&options(&plain, 500, 5)).unwrap();
    let packed = generate(&GenerateOptions { gzip: true, ..options(&packed, 500, 5) }).unwrap();
    for (plain, packed) in plain.files.iter().zip(&packed.files) {
        assert!(packed.to_str().unwrap().ends_with(".json.gz"));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(fs::File::open(packed).unwrap()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, fs::read(plain).unwrap());
    }
}

#[test]
fn any_number_of_rows_and_files_is_whole_arrays() {
    let folder = tempfile::tempdir().unwrap();
    for (rows, files) in [(0, 1), (0, 6), (1, 6), (5, 6), (7, 3)] {
        let dir = folder.path().join(format!("{rows}-{files}"));
        let report = generate(&GenerateOptions { files, ..GenerateOptions::new(dir, rows, 1) }).unwrap();
        let records = |path| serde_json::from_slice::<Vec<Value>>(&fs::read(path).unwrap()).unwrap().len() as u64;
        assert_eq!(report.files.iter().map(records).sum::<u64>(), rows);
    }
}

#[test]
fn files_of_another_run_are_not_mixed_in() {
    let folder = tempfile::tempdir().unwrap();
    generate(&options(folder.path(), 10, 1)).unwrap();
    generate(&options(folder.path(), 20, 1)).unwrap();
    let fewer = GenerateOptions { files: 2, ..options(folder.path(), 10, 1) };
    let error = generate(&fewer).unwrap_err().to_string();
    assert!(error.contains("part-0") && error.contains("choose another folder"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = generate(&GenerateOptions::new(file.join("below"), 1, 1)).unwrap_err().to_string();
    assert!(error.contains("below"), "{error}");
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join(format!(".{TRUTH_FILE}.partial"))).unwrap();
    let error = generate(&GenerateOptions::new(taken, 1, 1)).unwrap_err().to_string();
    assert!(error.contains(TRUTH_FILE), "{error}");
}
