/* SPDX-License-Identifier: MIT */
/* What C++ adds: exceptions, templates, lambdas, names of member functions, static construction. */
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "lib_test.h"

namespace outer {

template <typename T> class box {
  public:
    T take(const T &value) const
    {
        RS_PROFILE_FUNC();
        if (value == T())
            throw std::invalid_argument("empty");
        return value;
    }
    bool operator()(int) const
    {
        RS_PROFILE_FUNC();
        return true;
    }
    box &operator<<(const T &)
    {
        RS_PROFILE_FUNC();
        return *this;
    }
    std::vector<std::pair<int, T>> *list(std::function<int(int)> f)
    {
        RS_PROFILE_FUNC();
        f(1);
        return nullptr;
    }
};

} // namespace outer

namespace {
void hidden()
{
    RS_PROFILE_FUNC();
}
} // namespace

static bool starts_with(const std::string &text, const char *with)
{
    return text.compare(0, std::strlen(with), with) == 0;
}

/* The names of all functions measured since the last reset. */
static std::vector<std::string> names()
{
    std::vector<std::string> list;
    rustscope_snapshot *s = rustscope_collect();

    rustscope_foreach_function(
        s,
        [](const rustscope_function *f, void *ctx) {
            static_cast<std::vector<std::string> *>(ctx)->push_back(f->name);
        },
        &list);
    rustscope_snapshot_free(s);
    return list;
}

static bool has_name(const char *name)
{
    for (const std::string &n : names())
        if (n == name)
            return true;
    return false;
}

START_TEST(names_are_those_of_the_source)
{
    outer::box<int> ints;
    outer::box<std::string> texts;

    rustscope_reset();
    ints.take(1);
    texts.take("x");
    ints(1);
    ints << 1;
    ints.list([](int i) {
        RS_PROFILE_FUNC();
        return i;
    });
    hidden();
    for (const std::string &name : names())
        ck_assert_msg(starts_with(name, "outer::box<T>::") || name.find("hidden") != std::string::npos ||
                          name.find("names_are_those_of_the_source") != std::string::npos,
                      "%s", name.c_str());
    ck_assert(has_name("outer::box<T>::take"));
    ck_assert(has_name("outer::box<T>::operator()"));
    ck_assert(has_name("outer::box<T>::operator<<"));
    ck_assert(has_name("outer::box<T>::list"));
    ck_assert_uint_eq(figures_of("outer::box<T>::take").calls, 2);
}
END_TEST

START_TEST(exceptions_close_scopes)
{
    outer::box<int> ints;
    unsigned caught = 0;

    rustscope_reset();
    for (int i = 0; i < 100; i++) {
        try {
            RS_PROFILE("tried");
            RS_PROFILE_BLOCK("block around") {
                ints.take(i % 2);
            }
        } catch (const std::invalid_argument &) {
            RS_PROFILE("caught");
            caught++;
        }
    }
    ck_assert_uint_eq(caught, 50);
    ck_assert_uint_eq(figures_of("tried").calls, 100);
    ck_assert_uint_eq(figures_of("block around").calls, 100);
    ck_assert_uint_eq(figures_of("outer::box<T>::take").calls, 100);
    ck_assert_uint_eq(paths_of("caught", 0).calls, 50);
}
END_TEST

START_TEST(macros_do_in_cpp_what_they_do_in_c)
{
    rustscope_handle handle;
    int value;

    rustscope_reset();
    for (int i = 0; i < 10; i++) {
        RS_PROFILE_IF(i < 3, "conditional");
        RS_PROFILE_MODE("counted", RUSTSCOPE_COUNT);
        RS_PROFILE_BLOCK("left early") {
            if (i % 2)
                continue;
        }
    }
    value = RS_PROFILE_VALUE("value", std::string("text").size() + 1);
    RS_BEGIN(handle, "handle");
    RS_END(handle);
    ck_assert_int_eq(value, 5);
    ck_assert_uint_eq(figures_of("conditional").calls, 3);
    ck_assert_uint_eq(figures_of("counted").calls, 10);
    ck_assert_uint_eq(figures_of("left early").calls, 10);
    ck_assert_uint_eq(figures_of("value").calls, 1);
    ck_assert_uint_eq(figures_of("handle").calls, 1);
}
END_TEST

static unsigned constructed_calls;
static struct at_start {
    at_start()
    {
        RS_PROFILE("static constructor");
        constructed_calls++;
    }
} at_start_instance;

START_TEST(static_constructors_may_have_scopes)
{
    ck_assert_uint_eq(constructed_calls, 1);
}
END_TEST

struct at_thread_end {
    ~at_thread_end()
    {
        RS_PROFILE("thread_local destructor");
    }
};

START_TEST(thread_local_destructors_may_have_scopes)
{
    rustscope_reset();
    for (int i = 0; i < 50; i++)
        std::thread([] {
            static thread_local at_thread_end instance;

            (void)&instance;
            RS_PROFILE("thread");
        }).join();
    ck_assert_uint_eq(figures_of("thread").calls, 50);
    ck_assert_uint_eq(figures_of("thread_local destructor").calls, 50);
}
END_TEST

SUITE("lib cpp", names_are_those_of_the_source, exceptions_close_scopes, macros_do_in_cpp_what_they_do_in_c,
      static_constructors_may_have_scopes, thread_local_destructors_may_have_scopes)
