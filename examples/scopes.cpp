// SPDX-License-Identifier: MIT
// Scopes in C++: exceptions and early returns close them.
#include <rustscope.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shop {

class cart {
  public:
    void add(const std::string &item)
    {
        RS_PROFILE_FUNC(); // reported as shop::cart::add
        if (item.empty())
            throw std::invalid_argument("nothing to add");
        items_.push_back(item);
    }

  private:
    std::vector<std::string> items_;
};

} // namespace shop

static void fill(unsigned count)
{
    shop::cart cart;

    RS_PROFILE("fill");
    for (unsigned i = 0; i < count; i++) {
        try {
            cart.add(i % 10 ? "item " + std::to_string(i) : "");
        } catch (const std::invalid_argument &) {
            RS_PROFILE("refused");
        }
    }
}

int main()
{
    std::thread other(fill, 1000);

    fill(1000);
    other.join();

    rustscope_snapshot *snapshot = rustscope_collect();
    rustscope_foreach_path(
        snapshot,
        [](const rustscope_function *path, unsigned depth, void *) {
            std::printf("%*s%s: %llu calls, self %.0f us\n", static_cast<int>(2 * depth), "", path->name,
                        static_cast<unsigned long long>(path->calls), path->self_ns / 1000);
        },
        nullptr);
    rustscope_snapshot_free(snapshot);
}
