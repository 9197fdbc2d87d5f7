// SPDX-License-Identifier: MIT
// trees ROUNDS: BTreeMap, HashMap, String, Vec and format!, built and dropped.
use std::collections::{BTreeMap, HashMap};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
}

#[derive(Clone)]
struct Record {
    title: String,
    words: Vec<String>,
    notes: BTreeMap<u32, String>,
}

#[inline(never)]
fn text(random: &mut Random, length: u32) -> String {
    let mut s = String::new();
    for _ in 0..length {
        s.push((b'a' + (random.next() % 26) as u8) as char);
    }
    s
}

#[inline(never)]
fn record(random: &mut Random) -> Record {
    let length = 12 + random.next() % 36;
    let title = text(random, length);
    let words = (0..random.next() % 5).map(|_| text(random, 20)).collect();
    let notes = (0..random.next() % 4).map(|i| (i, text(random, 20))).collect();
    Record { title, words, notes }
}

#[inline(never)]
fn round(random: &mut Random) -> usize {
    let mut all = BTreeMap::new();
    let mut index = HashMap::new();
    for i in 0..50000usize {
        let key = text(random, 20);
        index.insert(key.clone(), i);
        all.insert(key, record(random));
    }
    let boxed: Vec<Box<Record>> = all.values().step_by(3).map(|r| Box::new(r.clone())).collect();
    boxed.iter().map(|r| r.words.len() + r.notes.len()).sum::<usize>()
        + all.iter().map(|(k, r)| k.len() + format!("{}-{}", r.title, r.words.len()).len()).sum::<usize>()
}

fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(2, |s| s.parse().unwrap());
    let mut random = Random(0x2545f4914f6cdd1d);
    println!("{}", (0..rounds).map(|_| round(&mut random)).sum::<usize>());
}
