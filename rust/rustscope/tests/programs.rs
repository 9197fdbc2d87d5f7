//! Crates that use this one, as cargo builds them: what must not compile and what the compiler says, what is left without
//! the feature `enabled`, benchmarks.

#![cfg(feature = "enabled")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Crate {
    folder: PathBuf,
    target: PathBuf,
}

impl Crate {
    fn new(name: &str, features: &str, manifest: &str) -> Crate {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);

        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(
            folder.join("Cargo.toml"),
            format!(
                "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n{}\n\
                 [dependencies]\nrustscope = {{ path = {:?}, {} }}\n",
                name,
                manifest,
                env!("CARGO_MANIFEST_DIR"),
                features
            ),
        )
        .unwrap();
        Crate { target: folder.join("target"), folder }
    }

    fn source(&self, name: &str, text: &str) -> &Crate {
        fs::write(self.folder.join("src").join(name), text).unwrap();
        self
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        self.cargo_with(arguments, &[])
    }

    fn cargo_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("RUSTSCOPE_LIB_DIR")
            .env_remove("RUSTSCOPE_PKG_CONFIG")
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }
}

impl Crate {
    /// What build.rs has compiled.
    fn built_library(&self, profile: &str) -> Option<PathBuf> {
        fs::read_dir(self.target.join(profile).join("build"))
            .ok()?
            .map(|entry| entry.unwrap().path().join("out/librustscope.a"))
            .find(|path| path.exists())
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_cannot_be_measured_is_refused_in_a_sentence_at_its_place() {
    let program = Crate::new("refused", "default-features = true", "");
    let cases = [
        ("#[profile] struct S;", "stands before a function", "struct"),
        ("#[profile] const fn f() {}", "cannot be measured", "f"),
        ("#[profile(nam = \"x\")] fn f() {}", "known here", "nam"),
        ("#[profile(name = 7)] fn f() {}", "the name is a string", "7"),
        ("trait T { #[profile] fn f(); }", "no body", ";"),
        ("#[profile] fn f() -> u32 { \"text\" }", "mismatched types", "\"text\""),
        ("#[profile] async fn f() -> u32 { \"text\" }", "mismatched types", "\"text\""),
        ("#[profile_all] fn f() {}", "stands before an `impl` or a `mod`", "fn"),
        ("#[profile_all(leave(x))] mod m {}", "known here", "leave"),
        ("#[benchmark] async fn f() {}", "no `async fn`", "f"),
        ("#[benchmark(warm = 3)] fn f() {}", "known here: `name", "warm"),
        ("#[benchmark(n = 3)] fn f(b: &mut Bencher) {}", "`n` is a list", "3"),
        ("#[benchmark(samples = 10, samples = 20)] fn f() {}", "there twice", "samples"),
        ("#[benchmark(samples = \"many\")] fn f() {}", "mismatched types", "\"many\""),
        ("#[benchmark(n = [0; 33])] fn f(b: &mut Bencher) {}", "E0080", "f"),
    ];

    for (item, sentence, at) in cases {
        program.source("lib.rs", &format!("#![allow(unused)]\nuse rustscope::*;\n{}\n", item));
        let output = program.cargo(&["check", "--offline", "--message-format", "short"]);
        let said = text(&output);
        let column = item.rfind(&format!("{} ", at)).or_else(|| item.rfind(at)).unwrap() + 1;

        assert!(!output.status.success(), "compiles: {}", item);
        assert!(said.contains(sentence), "{} gives {}", item, said);
        assert!(
            at == "f" || said.contains(&format!("src/lib.rs:3:{}", column)),
            "{} not at {}: {}",
            item,
            column,
            said
        );
    }
}

#[test]
fn without_the_feature_nothing_is_left() {
    let program = Crate::new("disabled", "default-features = false", "[lib]\ncrate-type = [\"cdylib\"]");

    program.source(
        "lib.rs",
        "use rustscope::*;
        #[no_mangle] pub extern \"C\" fn plain(x: u32) -> u32 { x.wrapping_mul(7) }
        #[profile(name = \"n\")]
        #[no_mangle] pub extern \"C\" fn measured(x: u32) -> u32 {
            profile_scope!(\"scope\");
            profile_if!(x > 3, \"if\");
            mark(\"mark\");
            counter(\"counter\", 1.0);
            set_budget(\"scope\", std::time::Duration::from_millis(1)).unwrap();
            assert_perf!(\"scope\", Metric::Mean, 1.0);
            profile_block!(\"block\", Work(x).work())
        }
        struct Work(u32);
        #[profile_all] impl Work { fn work(&self) -> u32 { self.0.wrapping_mul(7) } }
        #[profile] pub async fn task() {}
        pub async fn future() { profile_future!(\"f\", task()).await }
        #[benchmark] fn bench() -> u32 { 1 }
        pub fn others() -> (bool, bool, Allocations) { reset(); pause(); resume(); (Snapshot::take().is_none(), info().is_none(), allocated()) }
        ",
    );
    let output = program.cargo(&["rustc", "--offline", "--release", "--", "--emit", "asm", "-C", "codegen-units=1"]);
    assert!(output.status.success(), "{}", text(&output));
    let asm = fs::read_dir(program.target.join("release/deps"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().map_or(false, |e| e == "s"))
        .expect("assembly");
    let asm = fs::read_to_string(asm).unwrap();
    let body = |name: &str| -> Vec<String> {
        asm.lines()
            .skip_while(|line| !line.starts_with(&format!("{}:", name)))
            .skip(1)
            .map(|line| line.trim().to_string())
            .take_while(|line| !line.starts_with(".Lfunc_end") && !line.starts_with(".size"))
            .filter(|line| !line.starts_with('.') && !line.is_empty())
            .collect()
    };
    /* Equal code may be one function with two names. */
    let merged = asm.lines().any(|l| {
        ["measured,plain", "plain,measured", "measured=plain", "plain=measured"]
            .iter()
            .any(|equal| l.replace([' ', '\t'], "").ends_with(equal))
    });
    assert!(
        merged || (!body("plain").is_empty() && body("plain") == body("measured")),
        "{:?}\n{:?}",
        body("plain"),
        body("measured")
    );
    assert!(!asm.contains("rustscope_"), "{}", asm);
    assert_eq!(program.built_library("release"), None, "C was compiled");
}

#[test]
fn benchmarks_are_listed_filtered_and_measured() {
    let program = Crate::new(
        "benches",
        "default-features = true",
        "[[bench]]\nname = \"all\"\npath = \"src/all.rs\"\nharness = false",
    );

    program.source("lib.rs", "").source(
        "all.rs",
        "use rustscope::{benchmark, black_box, Bencher};
        #[benchmark] fn sum() -> u64 { (0..black_box(100u64)).map(black_box).sum() }
        #[benchmark(name = \"sort it\")] fn sort(b: &mut Bencher) {
            let numbers: Vec<u32> = (0..50).rev().collect();
            b.items(50);
            b.iter(|| { let mut copy = numbers.clone(); copy.sort_unstable(); copy });
        }
        rustscope::benchmark_main!();
        ",
    );
    let listed = program.cargo(&["bench", "--offline", "--bench", "all", "--", "--list"]);
    let said = text(&listed);
    assert!(listed.status.success() && said.contains("sum") && said.contains("sort it"), "{}", said);
    let measured = program.cargo(&[
        "bench",
        "--offline",
        "--bench",
        "all",
        "--",
        "--quick",
        "--filter",
        "sort",
        "--json",
        "--output",
        "out.json",
    ]);
    assert!(measured.status.success(), "{}", text(&measured));
    let json = fs::read_to_string(program.folder.join("out.json")).unwrap();
    assert!(json.contains("\"sort it\"") && !json.contains("\"sum\"") && json.contains("\"mean_ns\""), "{}", json);
}

#[test]
fn a_benchmark_runs_with_each_of_its_parameters_and_inputs_are_made_outside_of_the_time() {
    let program =
        Crate::new("settings", "default-features = true", "[[bin]]\nname = \"settings\"\npath = \"src/all.rs\"");

    program.source(
        "all.rs",
        "use rustscope::{benchmark, Bencher};
        use std::{sync::atomic::{AtomicUsize, Ordering::SeqCst}, time::{Duration, Instant}};
        fn spin(us: u64) { let begin = Instant::now(); while begin.elapsed() < Duration::from_micros(us) {} }
        const LAST: i64 = 60;
        #[benchmark(n = [LAST, 20], samples = 10, time_ms = 20)] fn listed(b: &mut Bencher) {
            let us = b.n() as u64;
            b.iter(|| spin(us));
        }
        #[benchmark(range = (4, 100, 5), threads = [1, 2], time_ms = 5, samples = 10)] fn ranged(b: &mut Bencher) {
            assert!(b.thread() < 2);
            let us = b.n() as u64;
            b.iter(|| spin(us));
        }
        static ALIVE: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        struct Input;
        impl Input { fn new() -> Input { spin(30); MOST.fetch_max(ALIVE.fetch_add(1, SeqCst) + 1, SeqCst); Input } }
        impl Drop for Input { fn drop(&mut self) { spin(30); ALIVE.fetch_sub(1, SeqCst); } }
        #[benchmark(samples = 10, time_ms = 20, batch = 64)] fn batched(b: &mut Bencher) {
            b.iter_batched(Input::new, |input| { spin(10); input });
            assert!(MOST.load(SeqCst) <= 64, \"{:?} inputs at once\", MOST);
            assert_eq!(ALIVE.load(SeqCst), 0);
        }
        #[benchmark(samples = 10, time_ms = 20)] fn short(b: &mut Bencher) {
            b.iter_batched(|| { MOST.fetch_max(ALIVE.fetch_add(1, SeqCst) + 1, SeqCst); },
                |()| { ALIVE.fetch_sub(1, SeqCst); });
            assert!(MOST.load(SeqCst) <= 1000, \"{:?} inputs at once\", MOST);
        }
        #[benchmark(range = (5, 1, 2))] fn wrong(b: &mut Bencher) { b.iter(|| spin(1)); }
        rustscope::benchmark_main!();
        ",
    );
    let built = program.cargo(&["build", "--offline", "--release"]);
    assert!(built.status.success(), "{}", text(&built));
    let run = |names: &[&str]| {
        let output = Command::new(program.target.join("release/settings"))
            .args(names)
            .args(["--format", "google"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    let json = run(&["listed", "ranged", "batched"]);
    assert!(json.contains("some settings of wrong are left out"), "{}", json);
    let median_ns = |name: &str| -> f64 {
        let at = json.find(&format!("\"name\":\"{}_median\"", name)).unwrap_or_else(|| panic!("{} in {}", name, json));
        let rest = &json[at..];
        let value = &rest[rest.find("\"real_time\":").unwrap() + 12..];
        value[..value.find(',').unwrap()].parse().unwrap()
    };
    for (name, us) in
        [("listed/20", 20.0), ("listed/60", 60.0), ("ranged/4/threads:1", 4.0), ("ranged/100/threads:1", 100.0)]
    {
        let ns = median_ns(name);
        assert!(ns >= 999.0 * us && ns < 3000.0 * us, "{}: {} ns", name, ns);
    }
    for name in ["ranged/20/threads:1", "ranged/4/threads:2", "ranged/20/threads:2", "ranged/100/threads:2"] {
        assert!(median_ns(name) > 3000.0, "{} in {}", name, json);
    }
    /* Neither the 30 us of making an input nor those of dropping it. */
    let ns = median_ns("batched");
    assert!(ns >= 9990.0 && ns < 29_000.0, "{} ns", ns);
    run(&["short"]);
}

#[test]
fn an_attribute_may_rewrite_the_function_before_or_after_ours() {
    let program = Crate::new("rewritten", "default-features = true", "");
    let rewriter = program.folder.join("rewriter");

    fs::create_dir_all(rewriter.join("src")).unwrap();
    fs::write(
        rewriter.join("Cargo.toml"),
        "[package]\nname = \"rewriter\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n",
    )
    .unwrap();
    /* `loud` puts a statement before the body; `boxed` makes of an async function one that returns a box, as async-trait. */
    fs::write(
        rewriter.join("src/lib.rs"),
        "extern crate proc_macro;
        use proc_macro::{Delimiter, Group, TokenStream, TokenTree};
        fn split(item: TokenStream) -> (Vec<TokenTree>, TokenStream) {
            let mut tokens: Vec<TokenTree> = item.into_iter().collect();
            match tokens.pop() { Some(TokenTree::Group(body)) => (tokens, body.stream()), _ => panic!(\"no body\") }
        }
        fn braced(body: TokenStream) -> TokenTree { TokenTree::Group(Group::new(Delimiter::Brace, body)) }
        #[proc_macro_attribute] pub fn loud(_: TokenStream, item: TokenStream) -> TokenStream {
            let (mut tokens, body) = split(item);
            let mut all: TokenStream = \"println!(\\\"loud\\\");\".parse().unwrap();
            let hidden = TokenTree::Group(Group::new(Delimiter::None, TokenStream::from(braced(body))));
            all.extend([hidden]);
            tokens.push(braced(all));
            tokens.into_iter().collect()
        }
        #[proc_macro_attribute] pub fn boxed(_: TokenStream, item: TokenStream) -> TokenStream {
            let (tokens, body) = split(item);
            let mut all = TokenStream::new();
            for token in tokens {
                match token.to_string().as_str() {
                    \"async\" => {}
                    \"u32\" => all.extend(\"std::pin::Pin<Box<dyn std::future::Future<Output = u32>>>\".parse::<TokenStream>()),
                    _ => all.extend([token]),
                }
            }
            let mut inside: TokenStream = \"async move\".parse().unwrap();
            inside.extend([braced(body)]);
            let mut call: TokenStream = \"Box::pin\".parse().unwrap();
            call.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, inside))]);
            all.extend([braced(call)]);
            all
        }
        ",
    )
    .unwrap();
    let manifest = program.folder.join("Cargo.toml");
    let with = fs::read_to_string(&manifest).unwrap() + "rewriter = { path = \"rewriter\" }\n";
    fs::write(&manifest, with).unwrap();
    program.source(
        "main.rs",
        "use rewriter::{boxed, loud};
        use rustscope::{profile, Snapshot};
        use std::{future::Future, sync::Arc, task::{Context, Poll, Wake, Waker}};
        #[profile] #[loud] fn inner() -> i64 { 1 }
        #[loud] #[profile] fn outer() -> i64 { 2 }
        #[profile] #[boxed] async fn polled() -> u32 { Once(false).await; 3 }
        #[boxed] #[profile] async fn built() -> u32 { Once(false).await; 4 }
        struct Once(bool);
        impl Future for Once {
            type Output = ();
            fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                if self.0 { Poll::Ready(()) } else { self.0 = true; Poll::Pending }
            }
        }
        struct Ignored;
        impl Wake for Ignored { fn wake(self: Arc<Self>) {} }
        fn block_on(mut future: std::pin::Pin<Box<dyn Future<Output = u32>>>) -> u32 {
            let waker = Waker::from(Arc::new(Ignored));
            loop {
                if let Poll::Ready(x) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return x; }
            }
        }
        fn main() {
            println!(\"sum {}\", inner() + outer() + block_on(polled()) as i64 + block_on(built()) as i64);
            let all = Snapshot::take().unwrap();
            for name in [\"inner\", \"outer\", \"polled\", \"built\"] {
                println!(\"{} {}\", name, all.function(&format!(\"rewritten::{}\", name)).map_or(0, |f| f.calls));
            }
        }",
    );
    let output = program.cargo(&["run", "--offline", "--quiet"]);
    let said = text(&output);
    assert!(output.status.success() && said.contains("sum 10") && said.matches("loud").count() == 2, "{}", said);
    /* Below `boxed` there is a plain function left to measure, which makes the future. */
    assert!(said.ends_with("inner 1\nouter 1\npolled 2\nbuilt 1\n"), "{}", said);
}

#[test]
fn an_installed_library_is_linked_when_it_is_asked_for() {
    let program = Crate::new("installed", "default-features = true", "");
    let folder = program.folder.join("lib");
    let place = folder.to_str().unwrap();
    let by_pkg_config = [("RUSTSCOPE_PKG_CONFIG", "1"), ("PKG_CONFIG_PATH", place), ("PKG_CONFIG_LIBDIR", place)];

    program.source(
        "main.rs",
        "fn main() {
            rustscope::profile_block!(\"once\", ());
            println!(\"{} call\", rustscope::Snapshot::take().unwrap().function(\"once\").unwrap().calls);
        }",
    );
    assert!(program.cargo(&["build", "--offline"]).status.success());
    fs::create_dir(&folder).unwrap();
    fs::rename(program.built_library("debug").unwrap(), folder.join("librustscope.a")).unwrap();

    let run = |environment: &[(&str, &str)]| {
        let _ = fs::remove_dir_all(&program.target);
        program.cargo_with(&["run", "--offline"], environment)
    };
    let linked = run(&[("RUSTSCOPE_LIB_DIR", place), ("RUSTSCOPE_STATIC", "1")]);
    assert!(text(&linked).contains("1 call"), "{}", text(&linked));
    assert_eq!(program.built_library("debug"), None);

    let shared = folder.join("librustscope.so");
    let made = Command::new("cc")
        .args(["-shared", "-pthread", "-Wl,--whole-archive"])
        .arg(folder.join("librustscope.a"))
        .args(["-Wl,--no-whole-archive", "-lm", "-o"])
        .arg(&shared)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let linked = run(&[("RUSTSCOPE_LIB_DIR", place), ("LD_LIBRARY_PATH", place)]);
    assert!(text(&linked).contains("1 call"), "{}", text(&linked));
    assert_eq!(program.built_library("debug"), None);
    let needed = Command::new(program.target.join("debug/installed")).env_remove("LD_LIBRARY_PATH").output().unwrap();
    assert!(text(&needed).contains("librustscope.so"), "it was linked statically: {}", text(&needed));
    fs::remove_file(&shared).unwrap();

    if Command::new("pkg-config").arg("--version").output().is_ok() {
        let missing = run(&by_pkg_config);
        assert!(
            !missing.status.success() && text(&missing).contains("pkg-config knows no rustscope"),
            "{}",
            text(&missing)
        );
        fs::write(
            folder.join("rustscope.pc"),
            format!("Name: rustscope\nDescription: x\nVersion: 0.1.0\nLibs: -L{} -lrustscope\n", place),
        )
        .unwrap();
        let linked = run(&by_pkg_config);
        assert!(text(&linked).contains("1 call"), "{}", text(&linked));
        assert_eq!(program.built_library("debug"), None);
    }

    let nothing = run(&[("RUSTSCOPE_LIB_DIR", "/nowhere"), ("RUSTSCOPE_STATIC", "1")]);
    assert!(!nothing.status.success());
    let no_compiler = run(&[("CC", "/nowhere/cc")]);
    assert!(text(&no_compiler).contains("cannot be run"), "{}", text(&no_compiler));
}

#[test]
fn the_report_is_written_however_main_ends() {
    let program = Crate::new("ends", "default-features = true", "");

    program.source(
        "main.rs",
        "fn main() -> Result<(), String> {
            rustscope::profile_block!(\"measured\", ());
            match std::env::args().nth(1).unwrap().as_str() {
                \"exit\" => std::process::exit(3),
                \"panic\" => panic!(\"as planned\"),
                \"abort\" => std::process::abort(),
                \"error\" => Err(\"as planned\".to_string()),
                _ => Ok(()),
            }
        }",
    );
    assert!(program.cargo(&["build", "--offline"]).status.success());
    for (how, status) in [("return", 0), ("error", 1), ("exit", 3), ("panic", 101)] {
        let report = program.folder.join(format!("{}.json", how));
        let output =
            Command::new(program.target.join("debug/ends")).arg(how).env("RUSTSCOPE_OUT", &report).output().unwrap();

        assert_eq!(output.status.code(), Some(status), "{}", text(&output));
        let json = fs::read_to_string(&report).unwrap_or_else(|e| panic!("{}: {}", how, e));
        assert!(json.contains("\"measured\""), "{}: {}", how, json);
    }
    /* By its own hand or since a panic aborts. */
    for arguments in [&["build", "--offline"][..], &["rustc", "--offline", "--", "-C", "panic=abort"]] {
        let built = program.cargo(arguments);
        assert!(built.status.success(), "{}", text(&built));
        let how = if arguments.len() == 2 { "abort" } else { "panic" };
        let report = program.folder.join("aborted.json");
        let output =
            Command::new(program.target.join("debug/ends")).arg(how).env("RUSTSCOPE_OUT", &report).output().unwrap();

        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(6), "{}", text(&output));
        assert_eq!(how == "panic", text(&output).contains("as planned"), "{}", text(&output));
        let json = fs::read_to_string(&report).unwrap_or_else(|e| panic!("{}: {}", how, e));
        assert!(json.contains("\"measured\""), "{}: {}", how, json);
        fs::remove_file(&report).unwrap();
    }
    /* With neither the command nor RUSTSCOPE_OUT nothing is written. */
    let before = fs::read_dir(&program.folder).unwrap().count();
    Command::new(program.target.join("debug/ends"))
        .arg("return")
        .current_dir(&program.folder)
        .env_remove("RUSTSCOPE_OUT")
        .output()
        .unwrap();
    assert_eq!(fs::read_dir(&program.folder).unwrap().count(), before);
}
