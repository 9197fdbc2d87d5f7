/* SPDX-License-Identifier: MIT */
/*
 * A made-up shop server with something of everything that RustScope shows: a start-up that builds an index in one
 * gulp, requests served by three threads that share a lock, short-lived buffers, a session table that only grows,
 * recursion, scopes with a budget, marks and a counter. The visualizer's sample session is a recording of it:
 *
 *     rustscope --off-cpu --name "shop (sample)" -o sample.json.gz -- ./shop
 */
#include <pthread.h>
#include <rustscope.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

enum { WORDS = 300000, REQUESTS = 500, THREADS = 3, SESSIONS = THREADS * REQUESTS };

static char **index_words;
static char *sessions[SESSIONS];
static unsigned session_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t sink;

static NOINLINE uint64_t hash_word(const char *word)
{
    uint64_t hash = 14695981039346656037u;

    for (; *word; word++)
        hash = (hash ^ (unsigned char)*word) * 1099511628211u;
    return hash;
}

static NOINLINE char *make_word(unsigned number)
{
    char text[96];

    snprintf(text, sizeof(text), "product-%u-of-the-autumn-catalogue-%08x", number, number * 2654435761u);
    return strdup(text);
}

/* The memory spike: everything is loaded at once. */
static NOINLINE void build_index(void)
{
    RS_PROFILE_FUNC();
    index_words = malloc(WORDS * sizeof(*index_words));
    if (!index_words)
        exit(1);
    for (unsigned i = 0; i < WORDS; i++)
        index_words[i] = make_word(i);
}

static NOINLINE uint64_t walk_tree(unsigned depth, uint64_t key)
{
    if (depth == 0)
        return hash_word(index_words[key % WORDS]);
    return walk_tree(depth - 1, key * 6364136223846793005u + 1) + (key & 3 ? 0 : walk_tree(depth - 1, key >> 3));
}

static NOINLINE uint64_t rank_results(uint64_t query)
{
    uint64_t best = 0;

    RS_PROFILE_FUNC();
    for (unsigned i = 0; i < 6000; i++) {
        uint64_t score = hash_word(index_words[(query + i * 7919u) % WORDS]);

        best = score > best ? score : best;
    }
    return best + walk_tree(12, query);
}

/* Short-lived buffers: one for each line of the page. */
static NOINLINE size_t render_page(uint64_t query)
{
    size_t length = 0;

    RS_PROFILE_FUNC();
    for (unsigned line = 0; line < 250; line++) {
        char *text = malloc(160);

        if (!text)
            exit(1);
        length += (size_t)snprintf(text, 160, "<li>%s: %.2f</li>", index_words[(query + line) % WORDS], (double)query / (line + 1));
        free(text);
    }
    return length;
}

/* Never freed: what a leak looks like. */
static NOINLINE void remember_session(uint64_t query)
{
    char *state = malloc(8192);

    if (!state)
        exit(1);
    memset(state, (int)query, 8192);
    sessions[session_count++ % SESSIONS] = state;
}

static NOINLINE void update_stock(uint64_t query)
{
    RS_PROFILE_FUNC();
    pthread_mutex_lock(&lock);
    remember_session(query);
    for (unsigned i = 0; i < 1500; i++)
        sink += hash_word(index_words[(query ^ i) % WORDS]);
    pthread_mutex_unlock(&lock);
}

static NOINLINE void wait_for_client(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2500000}, NULL);
}

static void *serve(void *arg)
{
    uint64_t query = (uintptr_t)arg * 977 + 1;

    for (unsigned i = 0; i < REQUESTS; i++) {
        RS_PROFILE("request");
        query = query * 6364136223846793005u + 1442695040888963407u;
        sink += rank_results(query >> 20);
        sink += render_page(query >> 24);
        update_stock(query >> 30);
        rustscope_counter("sessions", session_count);
        wait_for_client();
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    rustscope_set_budget("request", 20 * 1000 * 1000, NULL, NULL);
    rustscope_mark("start");
    build_index();
    rustscope_mark("serving");
    for (uintptr_t t = 0; t < THREADS; t++)
        if (pthread_create(&threads[t], NULL, serve, (void *)t))
            return 1;
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    rustscope_mark("closing");
    return sink == 1;
}
