"""The library that notebook cells link: `analysis`, built once by cargo, linked once more as a Rust dylib.

What takes a plain evcxr kernel its time is rust-analyzer, which it asks for the type of every `let`: it would load every crate
below polars. So cells depend on a *facade* crate without dependencies. It shows the compiler the dylib and rust-analyzer the
sources of `analysis` alone, with `polars_view.rs` in place of polars (see docs/notebooks.md).

All of it lies in `target/notebook`:

    analysis/           the facade: Cargo.toml, build.rs, src/
    deps/               the dylib, and hard links to the metadata of every crate below it
    std/                the standard library's sources as rust-analyzer is to see them
    evcxr.toml          what a kernel outside `notebooks/` reads
    built.json          by which compiler this was built, from what; written last

`python3 library.py` builds what is missing or out of date and says why (`--quiet` does not); `--check` only says it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

KERNEL = Path(__file__).resolve().parent
ROOT = KERNEL.parents[1]
TARGET = ROOT / "target"
HOME = TARGET / "notebook"
FACADE = HOME / "analysis"
DEPS = HOME / "deps"
STD = HOME / "std"
BUILT = HOME / "built.json"
RLIB = TARGET / "release" / "libanalysis.rlib"
# As cells look for it; cargo builds the same crate as `analysis` for programs.
DYLIB_CRATE = "rushes_library"
# Not part of the library: the program `analysis`.
NOT_IN_VIEW = ("main.rs", "cli")
# Of the standard library, what the types of a notebook need. The processor's intrinsics (`stdarch`) are half of all its lines.
STD_CRATES = ("core", "alloc", "std", "proc_macro")


@dataclass(frozen=True)
class Stamp:
    """What a build depends on besides the sources that cargo lists."""

    rustc: str
    kernel: float  # newest of the files beside this one, and evcxr.toml
    root: str  # a moved checkout has other paths inside

    @staticmethod
    def now() -> Stamp:
        tests = set(KERNEL.glob("test_*"))
        files = [KERNEL.parent / "evcxr.toml", *(path for path in KERNEL.iterdir() if path.is_file() and path not in tests)]
        return Stamp(rustc=rustc("-vV"), kernel=max(path.stat().st_mtime for path in files), root=str(ROOT))


def rustc(*arguments: str) -> str:
    return subprocess.run(["rustc", *arguments], check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def what_is_wrong() -> str | None:
    """Why the library has to be built, as the end of a sentence; `None` where it is good."""
    if not BUILT.exists():
        return "is not built yet"
    changed = next(changed_sources(BUILT.stat().st_mtime), None)
    return difference(Stamp(**json.loads(BUILT.read_text())["stamp"])) or (changed and f"is older than {changed}")


def difference(built: Stamp) -> str | None:
    """What has changed since besides sources."""
    now = Stamp.now()
    if built.rustc != now.rustc:
        return f"was built by {version(built.rustc)}, and Rust is now {version(now.rustc)}"
    if built != now:
        return "was built by another version of notebooks/kernel"
    return None


def version(verbose: str) -> str:
    return verbose.splitlines()[0]


def changed_sources(since: float) -> Iterator[Path]:
    """Sources of the library that are newer, or gone."""
    for source in [ROOT / "Cargo.lock", *sources()]:
        if not source.exists() or source.stat().st_mtime > since:
            yield source.relative_to(ROOT) if source.is_relative_to(ROOT) else source


def sources() -> list[Path]:
    """The workspace's files that `analysis` is made of, as cargo noted them at the last build."""
    listed = RLIB.with_suffix(".d")
    if not listed.exists():
        return [RLIB]
    # A space in a path is written with a backslash.
    words = re.split(r"(?<!\\) ", listed.read_text().split(":", 1)[1].strip())
    return [Path(word.replace("\\ ", " ")) for word in words]


def build() -> None:
    """Builds what is out of date; says nothing unless cargo or rustc fails."""
    stamp = Stamp.now()
    artifacts = cargo_build()
    BUILT.unlink(missing_ok=True)
    link_dylib()
    gather_metadata(artifacts)
    write_facade()
    show_std()
    write_config()
    BUILT.write_text(json.dumps({"stamp": asdict(stamp), "libraries": [str(DEPS), rustc("--print=target-libdir")]}))


def library_path() -> str:
    """Where cells find the dylib and std: evcxr's own search path is wrong where its folder and Rust's share a parent."""
    return os.pathsep.join(json.loads(BUILT.read_text())["libraries"])


def cargo_build() -> list[Path]:
    """Builds the workspace as `make build` does, and returns the files of all its crates."""
    command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    messages = map(json.loads, done.stdout.splitlines())
    files = [file for message in messages if message["reason"] == "compiler-artifact" for file in message["filenames"]]
    return [Path(file) for file in files]


def link_dylib() -> None:
    """Links `analysis` and all crates below it into one dylib; cells link std dynamically, so it has to as well."""
    DEPS.mkdir(parents=True, exist_ok=True)
    command = ["rustc", "--edition=2024", "--crate-type=dylib", f"--crate-name={DYLIB_CRATE}", "-Cprefer-dynamic"]
    command += [f"--extern=analysis={RLIB}", f"-Ldependency={RLIB.parent / 'deps'}", f"--out-dir={DEPS}", "library.rs"]
    subprocess.run(command, check=True, cwd=KERNEL)


def gather_metadata(artifacts: list[Path]) -> None:
    """Links every crate's metadata (and the proc macros, which rustc loads too) beside the dylib.

    A later `cargo build` replaces its own files, not these, so kernels that run go on running.
    """
    metadata = [path for path in artifacts if path.suffix in (".rmeta", ".so", ".dylib") and path.parent.name == "deps"]
    wanted = {path.name: path for path in metadata}
    for old in DEPS.iterdir():
        if DYLIB_CRATE not in old.name:
            old.unlink()
    for name, path in wanted.items():
        os.link(path, DEPS / name)


def write_facade() -> None:
    source = FACADE / "src"
    shutil.rmtree(source, ignore_errors=True)
    copy_view(ROOT / "analysis" / "src", source)
    copy_view(ROOT / "model" / "src", source / "model")
    (source / "model" / "lib.rs").rename(source / "model" / "mod.rs")
    view, signatures = (KERNEL / name for name in ("polars_view.rs", "polars_signatures.rs"))
    (source / "polars.rs").write_text(view.read_text().replace("include_signatures!();", signatures.read_text()))
    shutil.copy(KERNEL / "facade.toml", FACADE / "Cargo.toml")
    (FACADE / "build.rs").write_text(f'fn main() {{ println!("cargo:rustc-link-search=all={DEPS}"); }}\n')
    library = source / "lib.rs"
    library.write_text(facade(library.read_text()))


def copy_view(source: Path, target: Path) -> None:
    """Copies Rust sources; what they take from polars and `model`, they find in the facade."""
    for path in source.rglob("*.rs"):
        inside = path.relative_to(source)
        if inside.parts[0] in NOT_IN_VIEW:
            continue
        copy = target / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(r"(?<![\w:])(polars|model)::", r"crate::\1::", path.read_text())
        if target.name == "model":
            text = re.sub(r"(?<![\w:])crate::(?!polars|model)", "crate::model::", text)
        copy.write_text(text)


def facade(library: str) -> str:
    """`analysis/src/lib.rs` for rust-analyzer, the dylib for the compiler."""
    items = [line.replace("pub use polars;", "pub mod polars;") for line in library.splitlines()]
    view = [f"#[cfg(rust_analyzer)]\n{line}" for line in items if re.match(r"(pub )?(mod|use) ", line)]
    return "\n".join([
        "#[cfg(not(rust_analyzer))]",
        f"extern crate {DYLIB_CRATE};",
        "#[cfg(not(rust_analyzer))]",
        f"pub use {DYLIB_CRATE}::analysis::*;",
        "#[cfg(rust_analyzer)]",
        "mod model;",
        *view,
        "",
    ])


def show_std() -> None:
    """Without its Cargo.toml rust-analyzer takes the folders as they are and asks cargo for nothing."""
    shutil.rmtree(STD, ignore_errors=True)
    STD.mkdir(parents=True)
    library = Path(rustc("--print=sysroot")) / "lib" / "rustlib" / "src" / "rust" / "library"
    for crate in STD_CRATES:
        if (library / crate).exists():
            (STD / crate).symlink_to(library / crate)


def write_config() -> None:
    """The configuration of `notebooks/`, with the path as it is seen from anywhere."""
    config = (KERNEL.parent / "evcxr.toml").read_text()
    (HOME / "evcxr.toml").write_text(config.replace('"../target', f'"{TARGET}'))


def main() -> None:
    wrong = what_is_wrong()
    if wrong is None:
        return
    if "--check" in sys.argv[1:]:
        sys.exit(f"the notebook library {wrong}; `make notebook` builds it")
    if "--quiet" not in sys.argv[1:]:
        print(f"the notebook library {wrong}; building it", file=sys.stderr)
    build()


if __name__ == "__main__":
    main()
