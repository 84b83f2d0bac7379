//! Checks the dependencies of the workspace: the oldest Rust that they accept, and that each one is used.

use std::fs;
use std::path::Path;
use std::process::Command;
use toml::{Table, Value};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(ROOT).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `1.95` and `1.95.0` alike.
fn version(text: &str) -> Vec<u32> {
    text.split('.').chain(["0"]).take(3).map(|number| number.parse().unwrap()).collect()
}

#[test]
fn the_oldest_rust_is_one_that_all_dependencies_take() {
    let about = output("rustc", &["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = output(env!("CARGO"), &["metadata", "--locked", "--format-version", "1", "--filter-platform", host]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    for package in metadata["packages"].as_array().unwrap() {
        let needed = package["rust_version"].as_str().unwrap_or("1.0");
        assert!(version(needed) <= version(oldest), "{} needs Rust {needed}", package["id"]);
    }
    assert!(read("README.md").contains(&format!("Rust {oldest} or newer")));
    assert!(read("CONTRIBUTING.md").contains(&format!("Rust {oldest} ")));
    assert!(read("environment.yml").contains(&format!("rust>={oldest}")));
}

/// All Rust code in a folder of a crate, without that of crates inside of it.
fn code(folder: &Path) -> String {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| match path.extension() {
            _ if path.is_dir() && !path.join("Cargo.toml").exists() => code(&path),
            Some(extension) if extension == "rs" => fs::read_to_string(&path).unwrap(),
            _ => String::new(),
        })
        .collect()
}

/// Exceptions are listed as `cargo machete` reads them: `[package.metadata.cargo-machete] ignored = [NAME]`.
#[test]
fn every_dependency_is_used() {
    let workspace: Table = toml::from_str(&read("Cargo.toml")).unwrap();
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let folder = Path::new(ROOT).join(member.as_str().unwrap());
        let manifest: Table = toml::from_str(&read(folder.join("Cargo.toml"))).unwrap();
        let metadata = manifest["package"].get("metadata").and_then(|metadata| metadata.get("cargo-machete"));
        let ignored = metadata.and_then(|machete| machete["ignored"].as_array()).cloned().unwrap_or_default();
        let code = code(&folder);
        for section in ["dependencies", "dev-dependencies"] {
            for name in manifest.get(section).and_then(Value::as_table).into_iter().flat_map(Table::keys) {
                let is_used = code.contains(&name.replace('-', "_")) || ignored.contains(&Value::from(name.as_str()));
                assert!(is_used, "{}: {name} is not used", folder.display());
            }
        }
    }
}
