// SPDX-License-Identifier: MIT
// maps ROUNDS: a map of strings to records of strings, built, walked and destroyed.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

struct Record {
    std::string title;
    std::vector<std::string> words;
    std::map<uint32_t, std::string> notes;
};

static uint64_t state = 0x2545f4914f6cdd1du;

static uint32_t random_number()
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state >> 16;
}

__attribute__((noinline)) static std::string text(size_t length)
{
    std::string s;

    while (s.size() < length)
        s.push_back('a' + random_number() % 26);
    return s;
}

__attribute__((noinline)) static Record record()
{
    Record r;

    r.title = text(12 + random_number() % 36);
    for (unsigned i = random_number() % 5; i; i--)
        r.words.push_back(text(6 + random_number() % 30));
    for (unsigned i = random_number() % 4; i; i--)
        r.notes[random_number()] = text(20);
    return r;
}

__attribute__((noinline)) static size_t one_round()
{
    std::map<std::string, Record> all;
    std::unordered_map<std::string, int> index;
    size_t sum = 0;

    for (int i = 0; i < 50000; i++) {
        std::string key = text(16 + random_number() % 12);

        index[key] = i;
        all.emplace(std::move(key), record());
    }
    for (const auto &entry : all)
        sum += entry.first.size() + entry.second.words.size();
    return sum;
}

int main(int argc, char **argv)
{
    size_t sum = 0;

    for (int i = argc > 1 ? atoi(argv[1]) : 2; i; i--)
        sum += one_round();
    printf("%zu\n", sum);
}
