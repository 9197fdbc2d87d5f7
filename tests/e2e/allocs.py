"""What the allocation tests ask of a session: counts by the function that allocated, processes by what they ran."""


class Allocs:
    def __init__(self, session):
        self.session = session
        self.table = session["allocations"]

    def function_of(self, node):
        frames, strings = self.session["frames"], self.session["strings"]
        func = frames["func"][self.session["nodes"]["frame"][node]]
        return strings[func] if func >= 0 else ""

    def path_of(self, node):
        names = []
        while node >= 0:
            names.append(self.function_of(node))
            node = self.session["nodes"]["parent"][node]
        return names

    def of(self, function, column="count"):
        """Sum of COLUMN over the paths that end in FUNCTION."""
        return sum(
            self.table[column][i] for i, node in enumerate(self.table["node"]) if self.function_of(node) == function
        )

    def processes(self, *ending):
        """Process records with the shim whose command line ends in ENDING."""
        return [
            p
            for p in self.session["processes"]
            if p["shim"]["status"] == "loaded" and p["argv"][-len(ending) :] == list(ending)
        ]

    def under(self, name, column="count"):
        """Sum of COLUMN over the paths that have NAME anywhere."""
        return sum(self.table[column][i] for i, node in enumerate(self.table["node"]) if name in self.path_of(node))
