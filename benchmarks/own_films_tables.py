"""The tables of people's own films: titles that are matched, and lists for two."""

from benchmarks.run import read_result
from benchmarks.tables import interval, make_table

CATALOGS = ("ml-latest-small", "ml-1m")


def show_title_matching() -> str:
    """Return the shares of titles that are matched rightly and wrongly."""
    results = [read_result(f"title-matching-{catalog}")["spellings"] for catalog in CATALOGS]
    rows = [
        [
            spelling,
            *(
                f"{result[spelling]['right']:.1%}, {result[spelling]['wrong_in_all']:.2%}"
                for result in results
            ),
        ]
        for spelling in results[0]
    ]
    return make_table(["spelling: right, wrong", *CATALOGS], rows)


def show_title_matching_by_hand() -> str:
    """Return the same for titles that were copied by hand."""
    by_hand = read_result(f"title-matching-{CATALOGS[0]}")["by_hand"]
    return make_table(
        ["titles", "right", "not matched", "not in the catalog, and not matched", "wrong"],
        [[str(by_hand[name]) for name in ("titles", "right", "unmatched", "rightly_unmatched", "wrong")]],
    )


def show_joint_lists() -> str:
    """Return what a list for two costs each of them."""
    pairs = read_result("joint-lists")["pairs"]
    rows = []
    for name in pairs["random"]["lists"]:
        row = [name]
        for kind in pairs:
            of_list = pairs[kind]["lists"][name]
            row += [interval([of_list["NDCG@10"]]), interval([of_list["worse_off"]])]
        rows.append(row)
    header = [f"{kind} pairs{what}" for kind in pairs for what in ("", ", the worse off")]
    return make_table(["list", *header], rows)
