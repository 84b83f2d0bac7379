use super::*;
use crate::export::manifest::tests::{manifest_of, sound};

fn stage(folder: &ExportFolder, names: &[&str], text: &str) -> Manifest {
    let staging = folder.stage();
    let files: Vec<_> = names
        .iter()
        .map(|name| {
            let entry = staging.write(name, |file| write!(file, "{name} {text}")).expect("staged");
            ((*name).to_owned(), entry)
        })
        .collect();
    std::mem::forget(staging);
    manifest_of(files)
}

fn open() -> (tempfile::TempDir, ExportFolder) {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = ExportFolder::open(folder.path()).expect("opened");
    (folder, opened)
}

const FIRST: [&str; 3] = ["a.csv", "b.csv", "c/1969.csv"];
const SECOND: [&str; 3] = ["a.csv", "c/1970.csv", "d.csv"];

/// The second set complete but not in place yet.
fn sealed() -> (tempfile::TempDir, Manifest) {
    let (temporary, folder) = open();
    let first = stage(&folder, &FIRST, "first");
    folder.stage().commit(&first).expect("committed");
    let second = stage(&folder, &SECOND, "second");
    second.write(&folder.next()).expect("sealed");
    (temporary, second)
}

#[test]
fn a_set_replaces_the_old_one_and_what_is_no_longer_in_it_goes() {
    let (temporary, second) = sealed();
    std::fs::write(temporary.path().join("mine.twb"), "a workbook").expect("written");
    drop(ExportFolder::open(temporary.path()).expect("opened"));
    assert!(sound(temporary.path(), &second));
    for gone in ["b.csv", "c/1969.csv", ".rushes/next"] {
        assert!(!temporary.path().join(gone).exists(), "{gone}");
    }
    assert!(temporary.path().join("mine.twb").exists());
}

#[test]
fn what_is_not_ours_stays_whatever_the_manifest_says() {
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("diary.txt"), "mine").expect("written");
    let entry = FileEntry { bytes: 4, sha256: manifest::hex(&Sha256::digest("mine")) };
    let (temporary, folder) = open();
    std::os::unix::fs::symlink(outside.path(), temporary.path().join("link")).expect("a link");
    std::fs::write(temporary.path().join("edited.csv"), "my notes").expect("written");
    std::fs::write(temporary.path().join("ours.csv"), "mine").expect("written");
    let absolute = outside.path().join("diary.txt").display().to_string();
    let relative = format!("../{}/diary.txt", outside.path().file_name().expect("a name").to_string_lossy());
    let names = [absolute.as_str(), relative.as_str(), "link/diary.txt", "edited.csv", "ours.csv", ".rushes/lock", ""];
    let old = manifest_of(names.map(|name| (name.to_owned(), entry.clone())));
    old.write(temporary.path()).expect("written");
    folder.stage().commit(&manifest_of([])).expect("committed");
    assert!(outside.path().join("diary.txt").exists());
    assert!(temporary.path().join("edited.csv").exists() && temporary.path().join(".rushes/lock").exists());
    assert!(!temporary.path().join("ours.csv").exists());
    for name in ["../a.csv", "/tmp/a.csv", "a/../../b.csv", ".rushes/lock", "manifest.json", ""] {
        assert!(folder.stage().write(name, |_| Ok(())).is_err(), "{name}");
    }
}

#[test]
fn a_crash_before_the_set_is_complete_leaves_the_old_one() {
    let (temporary, folder) = open();
    let first = stage(&folder, &FIRST, "first");
    folder.stage().commit(&first).expect("committed");
    stage(&folder, &SECOND, "second");
    drop(folder);
    assert!(sound(temporary.path(), &first));
    drop(ExportFolder::open(temporary.path()).expect("opened"));
    assert!(sound(temporary.path(), &first));
    assert!(!temporary.path().join(".rushes/next").exists());
}

#[test]
fn a_crash_between_any_two_renames_is_ended_by_the_next_exporter() {
    for renamed in 0..=SECOND.len() {
        let (temporary, second) = sealed();
        let next = temporary.path().join(".rushes/next");
        for name in &SECOND[..renamed] {
            std::fs::create_dir_all(temporary.path().join("c")).expect("a folder");
            std::fs::rename(next.join(name), temporary.path().join(name)).expect("renamed");
        }
        if renamed == SECOND.len() {
            std::fs::remove_file(temporary.path().join("b.csv")).expect("removed");
        }
        drop(ExportFolder::open(temporary.path()).expect("opened"));
        assert!(sound(temporary.path(), &second), "after {renamed} renames");
        assert!(!next.exists());
    }
}

#[test]
fn a_dropped_set_leaves_nothing() {
    let (temporary, folder) = open();
    let staging = folder.stage();
    staging.write("a.csv", |file| file.write_all(b"new")).expect("staged");
    drop(staging);
    assert!(!temporary.path().join(".rushes/next").exists());
    assert!(!temporary.path().join("a.csv").exists());
}

#[test]
fn a_second_exporter_is_told_that_there_is_a_first() {
    let (temporary, folder) = open();
    let error = ExportFolder::open(temporary.path()).expect_err("busy").to_string();
    assert!(error.starts_with("another export is writing to"), "{error}");
    drop(folder);
    assert!(ExportFolder::open(temporary.path()).is_ok());
}

#[test]
fn a_file_that_no_export_has_written_is_never_replaced() {
    for name in ["a.csv", "a.tds", "c/1970.csv"] {
        let (temporary, folder) = open();
        std::fs::create_dir_all(temporary.path().join("c")).expect("a folder");
        std::fs::write(temporary.path().join(name), "mine").expect("written");
        let error = folder.stage().write(name, |file| file.write_all(b"ours")).expect_err(name);
        assert!(matches!(&error, ExportError::Foreign { path } if path.ends_with(name)), "{error}");
        assert_eq!(std::fs::read(temporary.path().join(name)).expect("a file"), b"mine");
        // The name is taken by a link that leads nowhere, too.
        let link = temporary.path().join("b.csv");
        std::os::unix::fs::symlink("nowhere", &link).expect("a link");
        assert!(folder.stage().write("b.csv", |_| Ok(())).is_err());
        // What an export has written, an export replaces, also when it was changed.
        std::fs::remove_file(temporary.path().join(name)).expect("removed");
        let first = stage(&folder, &[name], "first");
        folder.stage().commit(&first).expect("committed");
        std::fs::write(temporary.path().join(name), "changed").expect("written");
        for (round, damage) in ["second", "third", "fourth"].into_iter().zip([None, Some("x"), None]) {
            match damage {
                Some(text) => std::fs::write(temporary.path().join("manifest.json"), text).expect("written"),
                None if round == "fourth" => {
                    std::fs::remove_file(temporary.path().join("manifest.json")).expect("removed")
                }
                None => {}
            }
            let next = stage(&folder, &[name], round);
            folder.stage().commit(&next).expect("committed");
            assert!(sound(temporary.path(), &next), "{name} {round}");
        }
    }
    for text in ["{\"name\": \"my app\"}", "not JSON", "{\"format\": 3}"] {
        let (temporary, folder) = open();
        std::fs::write(temporary.path().join("manifest.json"), text).expect("written");
        let error = folder.stage().commit(&manifest_of([])).expect_err(text);
        assert!(matches!(error, ExportError::Foreign { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(temporary.path().join("manifest.json")).expect("a file"), text);
    }
    let (temporary, folder) = open();
    std::fs::write(
        temporary.path().join("manifest.json"),
        "{\"format\": 1, \"tables\": {\"t\": {\"files\": {\"a.csv\": 3}}}}",
    )
    .expect("written");
    std::fs::write(temporary.path().join("a.csv"), "of an earlier version").expect("written");
    assert!(folder.stage().write("a.csv", |_| Ok(())).is_ok());
}
