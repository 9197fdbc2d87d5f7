//! What the attributes may stand on, and that each call counts once under the right name.

#![cfg(feature = "enabled")]

use rustscope::{profile, profile_all, profile_block, profile_if, profile_scope, Function, Snapshot};
use std::fmt::Debug;

fn figures(name: &str) -> Function {
    Snapshot::take().unwrap().function(name).unwrap_or_else(|| panic!("{} has not run", name))
}

fn calls(name: &str) -> u64 {
    Snapshot::take().unwrap().function(name).map_or(0, |f| f.calls)
}

#[profile(name = "its name")]
fn named() {}

/// A comment.
#[profile]
#[inline(never)]
fn question(text: &str) -> Result<i32, std::num::ParseIntError> {
    #![allow(unused_variables)]
    let unused = 1;
    let number: i32 = text.parse()?;
    if number > 100 {
        return Ok(100);
    }
    Ok(number)
}

#[profile]
fn generic<T: Clone + Debug, F, const N: usize>(value: T, f: F) -> [T; N]
where
    F: Fn(usize) -> bool,
{
    let _ = f(N);
    std::array::from_fn(|_| value.clone())
}

#[profile]
fn opaque<'a>(list: &'a [u32]) -> impl Iterator<Item = &'a u32> + 'a {
    list.iter().filter(|&&n| n > 1)
}

#[profile]
fn patterns((a, mut b): (u32, u32), [c, ..]: [u32; 2]) -> u32 {
    b += a;
    b + c
}

#[profile]
unsafe extern "C" fn foreign(at: *const u32) -> u32 {
    *at
}

#[profile]
fn r#match() -> u8 {
    7
}

#[profile]
fn recursive(depth: u32) -> u32 {
    if depth == 0 {
        0
    } else {
        1 + recursive(depth - 1)
    }
}

#[profile]
fn panics() {
    panic!("as planned");
}

#[profile]
fn diverges() -> ! {
    std::panic::resume_unwind(Box::new(()))
}

macro_rules! made {
    ($vis:vis $name:ident, $body:block, $returns:ty) => {
        #[profile]
        $vis fn $name() -> $returns $body
    };
}
made!(pub made_by_macro, { 3 }, u16);

#[test]
fn functions_of_all_kinds_are_counted_under_their_paths() {
    named();
    assert_eq!(question("12"), Ok(12));
    assert_eq!(question("1200"), Ok(100));
    assert!(question("x").is_err());
    assert_eq!(generic::<u8, _, 3>(4, |n| n == 3), [4, 4, 4]);
    assert_eq!(opaque(&[1, 2, 3]).count(), 2);
    assert_eq!(patterns((1, 2), [3, 4]), 6);
    assert_eq!(unsafe { foreign(&5) }, 5);
    assert_eq!((r#match(), made_by_macro()), (7, 3));
    for (name, count) in [
        ("its name", 1),
        ("profile::question", 3),
        ("profile::generic", 1),
        ("profile::opaque", 1),
        ("profile::patterns", 1),
        ("profile::foreign", 1),
        ("profile::match", 1),
        ("profile::made_by_macro", 1),
    ] {
        assert_eq!(calls(name), count, "{}", name);
    }
    let f = figures("profile::question");
    assert!(f.file.ends_with("tests/profile.rs") && f.line > 15, "{}:{}", f.file, f.line);
}

#[test]
fn recursion_counts_each_call_and_its_depth() {
    assert_eq!(recursive(9), 9);
    let f = figures("profile::recursive");
    assert_eq!((f.calls, f.max_depth), (10, 10));
    assert!(f.self_ns <= f.total_ns);
}

#[profile]
fn sleeps_at_the_bottom(depth: u32) {
    match depth {
        0 => std::thread::sleep(std::time::Duration::from_millis(20)),
        _ => sleeps_at_the_bottom(depth - 1),
    }
}

#[test]
fn a_recursions_time_is_in_the_total_once() {
    sleeps_at_the_bottom(9);
    let f = figures("profile::sleeps_at_the_bottom");
    assert_eq!(f.calls, 10);
    assert!(f.total_ns >= 20e6 && f.total_ns <= f.max_ns * 1.001, "{:?} of {:?}", f.total_ns, f.max_ns);
}

#[test]
fn a_panic_ends_the_scope_and_the_next_one_is_no_child_of_it() {
    assert!(std::panic::catch_unwind(panics).is_err());
    assert!(std::panic::catch_unwind(|| diverges()).is_err());
    profile_block!("after the panics", ());
    assert_eq!((calls("profile::panics"), calls("profile::diverges")), (1, 1));
    let paths = Snapshot::take().unwrap().paths();
    let depth = |name: &str| paths.iter().find(|(_, f)| f.name == name).unwrap().0;
    assert_eq!(depth("after the panics"), depth("profile::panics"));
}

struct Cart {
    prices: Vec<u32>,
}

trait Shop {
    fn add(&mut self, price: u32);
    fn provided(&self) -> u32 {
        1
    }
}

#[profile_all(skip(len))]
impl Cart {
    const FIRST: [u32; 1] = [1];

    pub fn new() -> Self {
        Cart { prices: Vec::from(Self::FIRST) }
    }
    const fn constant() -> u32 {
        2
    }
    fn len(&self) -> usize {
        self.prices.len()
    }
    fn boxed(self: Box<Self>) -> Vec<u32> {
        self.prices
    }
    fn pinned(self: std::pin::Pin<&mut Self>) -> usize {
        self.prices.len()
    }
    #[profile(skip)]
    fn hidden(&self) {}
    #[profile(name = "checkout")]
    fn total(&self) -> u32 {
        self.prices.iter().sum()
    }
}

#[profile_all]
impl Shop for Cart {
    fn add(&mut self, price: u32) {
        self.prices.push(price)
    }
}

struct Pair<T>(T, T);

#[profile_all]
impl<T: PartialOrd + Copy> Pair<T>
where
    T: Debug,
{
    fn larger(&self) -> T {
        if self.0 > self.1 {
            self.0
        } else {
            self.1
        }
    }
}

#[profile_all(skip(left_out))]
mod inner {
    use std::collections::{BTreeMap, BTreeSet};

    pub struct Bag {
        pub items: BTreeMap<u32, BTreeSet<u32>>,
    }
    pub static START: u32 = 1;
    macro_rules! local {
        () => {
            4
        };
    }
    pub fn first() -> u32 {
        START + local!()
    }
    pub fn left_out() {}
    impl Bag {
        pub fn put(&mut self, n: u32) {
            self.items.entry(n).or_default().insert(n);
        }
    }
    pub mod deeper {
        pub fn second() -> std::array::IntoIter<u8, { 1 + 1 }> {
            [0; 2].into_iter()
        }
    }
}

#[test]
fn whole_impls_and_modules_are_measured_but_for_what_is_left_out() {
    let mut cart = Cart::new();
    cart.add(3);
    cart.add(4);
    assert_eq!((cart.len(), cart.total(), cart.provided(), Cart::constant()), (3, 8, 1, 2));
    cart.hidden();
    assert_eq!(std::pin::Pin::new(&mut cart).pinned(), 3);
    assert_eq!(Box::new(Cart::new()).boxed().len(), 1);
    assert_eq!(Pair(1.5, 2.5).larger(), 2.5);
    let mut bag = inner::Bag { items: Default::default() };
    bag.put(inner::first());
    inner::left_out();
    assert_eq!(inner::deeper::second().len(), 2);
    for (name, count) in [
        ("profile::Cart::new", 2),
        ("profile::Cart::constant", 0),
        ("profile::Cart::len", 0),
        ("profile::Cart::boxed", 1),
        ("profile::Cart::pinned", 1),
        ("profile::Cart::hidden", 0),
        ("checkout", 1),
        ("<profile::Cart as profile::Shop>::add", 2),
        ("profile::Pair<_>::larger", 1),
        ("profile::inner::first", 1),
        ("profile::inner::left_out", 0),
        ("profile::inner::Bag::put", 1),
        ("profile::inner::deeper::second", 1),
    ] {
        assert_eq!(calls(name), count, "{}", name);
    }
}

mod apart {
    use rustscope::profile;

    pub struct Stack<T>(pub Vec<T>);

    impl<T> Stack<T> {
        #[profile]
        pub fn push(&mut self, item: T) {
            self.0.push(item)
        }
        #[profile]
        pub async fn r#async(&self) -> usize {
            self.0.len()
        }
    }

    pub trait Named {
        #[profile]
        fn name(&self) -> &str {
            "by default"
        }
        fn own(&self) -> usize;
    }

    impl<T> Named for Stack<T> {
        #[profile]
        fn own(&self) -> usize {
            #[profile]
            fn inside() {}
            inside();
            self.name().len()
        }
    }
}

#[test]
fn a_method_is_named_by_its_type_like_its_symbol() {
    use apart::Named;
    use std::future::Future;
    struct Ignored;
    impl std::task::Wake for Ignored {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let waker = std::task::Waker::from(std::sync::Arc::new(Ignored));
    let mut numbers = apart::Stack(vec![1u32]);
    let mut texts = apart::Stack(vec!["one"]);
    for _ in 0..3 {
        numbers.push(2);
    }
    texts.push("two");
    let polled = Box::pin(numbers.r#async()).as_mut().poll(&mut std::task::Context::from_waker(&waker));
    assert!(polled.is_ready());
    assert_eq!((numbers.own(), texts.own()), (10, 10));
    for (name, count) in [
        ("profile::apart::Stack<_>::push", 4), /* whatever it is a stack of */
        ("profile::apart::Stack<_>::async", 1),
        ("profile::apart::Named::name", 2),
        ("<profile::apart::Stack<_> as profile::apart::Named>::own", 2),
        ("<profile::apart::Stack<_> as profile::apart::Named>::own::inside", 2),
    ] {
        assert_eq!(calls(name), count, "{}", name);
    }
}

#[test]
fn a_block_has_its_value_and_control_flow_goes_through_it() {
    fn first_even(list: &[u32]) -> Option<u32> {
        for &n in list {
            profile_block!("look at one", {
                if n == 0 {
                    break;
                }
                if n % 2 == 0 {
                    return Some(n);
                }
            });
        }
        None
    }
    assert_eq!(profile_block!("value", 6 * 6), 36);
    assert_eq!(first_even(&[1, 3, 4, 5]), Some(4));
    assert_eq!(first_even(&[1, 0, 4]), None);
    assert_eq!((calls("value"), calls("look at one")), (1, 5));
}

#[test]
fn a_conditional_scope_counts_where_its_condition_holds() {
    for i in 0..10 {
        profile_if!(i % 3 == 0, "each third");
    }
    assert_eq!(calls("each third"), 4);
}

#[test]
fn two_scopes_in_one_block_nest() {
    fn both() {
        profile_scope!("outer of two");
        profile_scope!("inner of two");
    }
    both();
    let paths = Snapshot::take().unwrap().paths();
    let at = paths.iter().position(|(_, f)| f.name == "inner of two").unwrap();
    assert_eq!((paths[at - 1].1.name.as_str(), paths[at].0), ("outer of two", paths[at - 1].0 + 1));
}
