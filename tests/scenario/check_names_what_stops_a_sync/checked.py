"""Runs of `check`, looked at item by item."""
import json


class Checked:
    """One run of check, by item. Over all runs it is kept what became of each item: broken, and then mended."""

    states = {}

    def __init__(self, s, *arguments, status=None):
        self.run = s.pgconvoy("check", *arguments, "--json")
        got = self.run.wait(60)
        assert got in (0, 3), f"exit status {got}: {self.run.error_tail()}"
        self.document = json.loads(self.run.stdout)
        self.items = {item["item"]: item for item in self.document["items"]}
        assert len(self.items) == len(self.document["items"]) == self.document["total"], "an item came twice"
        assert (got == 3) == (self.document["failed"] > 0), (got, self.document["failed"])
        assert status is None or got == status, f"status {got}: {self.text()}"

    def text(self):
        return "\n".join(f"{name}: {finding}" for name, item in self.items.items() for finding in item["findings"])

    def names(self, item, level, says=(), mend=()):
        """The item is of this level, and some finding says these words; gives the mends of all findings."""
        assert item in self.items, f"{item} is not among {list(self.items)}"
        result = self.items[item]
        assert result["status"] == level or result["status"] in level and isinstance(level, tuple), f"{item} is {result['status']} and not {level}: {result}"
        said = " ".join(finding["says"] for finding in result["findings"])
        for word in [says] if isinstance(says, str) else says:
            assert word in said, f"{item} does not say {word!r}: {said}"
        if result["status"] in ("warned", "failed"):
            self.states.setdefault(item, "broken")
        mends = [finding["mend"] or "" for finding in result["findings"]]
        for word in [mend] if isinstance(mend, str) else mend:
            assert any(word in text for text in mends), f"{item} does not give {word!r} as its mend: {mends}"
        return mends

    def passes(self, *items):
        for item in items:
            assert self.items[item]["status"] == "passed", f"{item} has not passed: {self.items[item]}"
            if item in self.states:
                self.states[item] = "mended"


def apply(server, mends, database="postgres"):
    for mend in mends:
        server.sql(mend, database)
