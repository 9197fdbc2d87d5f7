# SPDX-License-Identifier: MIT
"""objects.py ROUNDS: nested objects to JSON and back (run with PYTHONMALLOC=malloc)."""
import json
import sys

users = [
    {"id": i, "name": f"user{i}", "tags": [f"t{i % 17}", "x" * (i % 40)], "score": i * 1.5, "deep": {"a": [1, 2, str(i)]}}
    for i in range(8000)
]
total = 0
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 4):
    text = json.dumps({"users": users})
    back = json.loads(text)["users"]
    total += len(text) + sum(len(u["tags"]) for u in back)
print(total)
