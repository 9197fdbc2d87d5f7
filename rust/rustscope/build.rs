//! Finds or builds librustscope. In this order:
//!
//! - feature `enabled` off: nothing is built or linked;
//! - `RUSTSCOPE_LIB_DIR=DIR`: links the library there (the shared one; `RUSTSCOPE_STATIC=1` takes the static one);
//! - `RUSTSCOPE_PKG_CONFIG=1`: asks pkg-config for an installed one;
//! - else the C sources that the crate carries are compiled with `CC` (or `cc`, `gcc`, `clang`) and `AR` (or `ar`).

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

/// What src/lib needs of src/core; src/lib/CMakeLists.txt has the same list.
const CORE: [&str; 9] = [
    "welford",
    "histogram",
    "scopes",
    "scopes_json",
    "session_words",
    "json",
    "bench_math",
    "bench_stats",
    "bench_json",
];

fn fail(sentence: &str) -> ! {
    eprintln!("rustscope: {}", sentence);
    exit(1);
}

fn variable(name: &str) -> Option<OsString> {
    println!("cargo:rerun-if-env-changed={}", name);
    env::var_os(name).filter(|value| !value.is_empty())
}

/// `CC_x86_64_unknown_linux_gnu` before `CC`, as build scripts of other crates read them.
fn tool(name: &str, choices: &[&str]) -> String {
    let target = env::var("TARGET").unwrap_or_default().replace('-', "_");

    for name in [format!("{}_{}", name, target), name.to_string()] {
        if let Some(value) = variable(&name) {
            return value.to_string_lossy().into_owned();
        }
    }
    for choice in choices {
        if Command::new(choice).arg("--version").output().is_ok() {
            return choice.to_string();
        }
    }
    fail(&format!(
        "none of {} is installed; install a C compiler, or set RUSTSCOPE_LIB_DIR to the folder of an installed \
         librustscope",
        choices.join(", ")
    ))
}

/// NAME_linux.c and so on belong to one system; none is taken where a sibling for this system is missing.
fn is_for(platform: &str, stem: &str) -> bool {
    match stem.rsplit('_').next() {
        Some(last @ ("linux" | "darwin" | "none")) => last == platform,
        _ => true,
    }
}

fn sources(root: &Path, platform: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["lib", "lib/bench"]
        .iter()
        .map(|folder| root.join(folder))
        .flat_map(|folder| {
            fs::read_dir(&folder).unwrap_or_else(|e| fail(&format!("cannot read {}: {}", folder.display(), e)))
        })
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().map_or(false, |extension| extension == "c"))
        .filter(|path| is_for(platform, &path.file_stem().unwrap_or_default().to_string_lossy()))
        .collect();
    let channel = root.join(format!("core/channel_{}.c", platform));

    found.extend(CORE.iter().map(|name| root.join(format!("core/{}.c", name))));
    found.push(if channel.exists() { channel } else { root.join("core/channel_none.c") });
    found.sort();
    found
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{:?} ended with {}", command, status)),
        Err(e) => fail(&format!("{:?} cannot be run: {}", command, e)),
    }
}

fn compile() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("csrc");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let platform = match env::var("CARGO_CFG_TARGET_OS").unwrap_or_default().as_str() {
        "linux" | "android" => "linux",
        "macos" | "ios" => "darwin",
        other => {
            fail(&format!("librustscope does not know the system {}; turn the feature `enabled` off there", other))
        }
    };
    let compiler = tool("CC", &["cc", "gcc", "clang"]);
    let archive = out.join("librustscope.a");
    let mut objects = Vec::new();

    println!("cargo:rerun-if-changed=csrc");
    for folder in ["include", "core", "lib", "lib/bench"] {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
    }
    for source in sources(&root, platform) {
        let folder = source.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
        let object = out.join(format!("{}_{}.o", folder, source.file_stem().unwrap().to_string_lossy()));
        let mut command = Command::new(&compiler);

        command
            .args(["-std=gnu11", "-O2", "-g", "-fPIC", "-fvisibility=hidden", "-fno-common", "-fno-math-errno"])
            .args(["-fno-omit-frame-pointer", "-fasynchronous-unwind-tables", "-pthread", "-D_GNU_SOURCE"])
            .arg(format!("-DRUSTSCOPE_VERSION=\"{}\"", env::var("CARGO_PKG_VERSION").unwrap()))
            // Reports tell the library from the program by where its code says it comes from.
            .arg(format!("-ffile-prefix-map={}/=/usr/src/rustscope/", root.display()))
            .arg("-I")
            .arg(root.join("include"))
            .arg("-I")
            .arg(&root);
        if let Some(flags) = variable("CFLAGS") {
            command.args(flags.to_string_lossy().split_whitespace());
        }
        run(command.arg("-c").arg(&source).arg("-o").arg(&object));
        objects.push(object);
    }
    let _ = fs::remove_file(&archive);
    run(Command::new(tool("AR", &["ar", "llvm-ar"])).arg("crs").arg(&archive).args(&objects));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=rustscope");
    println!("cargo:include={}", root.join("include").display());
}

fn pkg_config() {
    let output = Command::new(tool("PKG_CONFIG", &["pkg-config"])).args(["--libs", "rustscope"]).output();
    let output = output.unwrap_or_else(|e| fail(&format!("pkg-config cannot be run: {}", e)));

    if !output.status.success() {
        fail(&format!("pkg-config knows no rustscope: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    for flag in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(dir) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={}", dir);
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={}", library);
        }
    }
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_ENABLED").is_none() {
        return;
    }
    if let Some(dir) = variable("RUSTSCOPE_LIB_DIR") {
        let kind = if variable("RUSTSCOPE_STATIC").is_some() { "static" } else { "dylib" };

        println!("cargo:rustc-link-search=native={}", Path::new(&dir).display());
        println!("cargo:rustc-link-lib={}=rustscope", kind);
    } else if variable("RUSTSCOPE_PKG_CONFIG").is_some() {
        pkg_config();
    } else {
        compile();
    }
}
