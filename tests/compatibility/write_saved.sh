#!/usr/bin/env bash
# Writes tests/compatibility/saved: models and a store as an earlier nextreel left them. It uses the command line and
# HTTP only, so that any version can run it: write_saved.sh PYTHON OUT. The files in `saved` are those of commit
# f29d75f and the files in `saved_1_0` those of 1.0; they stay: they are what later versions must open.
set -euo pipefail
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1
python=$1 out=$2
nextreel() { "$python" -m nextreel "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
nextreel sample "$work/data" --users 40 --movies 60 --ratings 1200 --seed 7
fit() { nextreel fit "$work/data" --out "$out/$1" --model "$@"; }
fit popularity --set window_days=90
fit next-choices
fit item-knn --set neighbours=20
fit ease --set regularization=20
fit als --set factors=8 --set iterations=3 --set regularization=1
fit sequential-ridge --set dimensions=8 --set hidden=16 --set rank=8 --set regularization=20
fit funk-svd --set dimensions=8 --set epochs=3
fit transformer --set dimensions=8 --set layers=1 --set heads=1 --set epochs=2 --set held_out_share=0.2
fit blend --set held_out_share=0.3 --set 'transformer={"dimensions": 8, "layers": 1, "heads": 1, "epochs": 2}' \
  --set 'ridge={"dimensions": 8, "hidden": 16, "rank": 8, "regularization": 20}'
"$python" - "$work/data" "$out/queries.csv" <<'PY'
import csv, sys
rows = list(csv.DictReader(open(f"{sys.argv[1]}/ratings_train.csv")))
by_user = {}
for row in rows:
    by_user.setdefault(int(row["UserID"]), []).append(int(row["Timestamp"]))
with open(sys.argv[2], "w") as out:
    out.write("UserID,Timestamp\n")
    for user, times in sorted(by_user.items())[:12]:
        times.sort()
        for timestamp in (times[0], times[len(times) // 2] + 1, times[-1], times[-1] + 5 * 86_400):
            out.write(f"{user},{timestamp}\n")
    out.write("999999,1700000000\n")
PY
for model in popularity next-choices item-knn ease als sequential-ridge funk-svd transformer blend; do
  nextreel recommend "$out/$model" --queries "$out/queries.csv" --out "$out/$model.csv"
done
nextreel models add "$work/versions" "$out/sequential-ridge" --name a
nextreel models add "$work/versions" "$out/ease" --name b
"$python" -m nextreel serve "$work/versions" --store "sqlite:///$out/nextreel.db" --port 0 --experiment b=0.5 > "$work/log" 2>&1 &
server=$!
until grep -q 'http://' "$work/log"; do sleep 0.1; done
url=$(grep -o 'http://[0-9.:]*' "$work/log" | head -1)
until curl -sf "$url/readyz" > /dev/null; do sleep 0.1; done
post() { curl -sf "$url/v1/$1" -H 'content-type: application/json' "${@:3}" -d "$2" > /dev/null; }
post movies '{"movie_id": 9001, "title": "The Long Reel", "year": 2001, "genres": ["Drama"]}'
post interactions '{"user_id": 5000, "movie_id": 9001, "rating": 4.5, "timestamp": 1600000000}' -H 'idempotency-key: once'
post interactions/batch '{"interactions": [
  {"user_id": 5000, "movie_id": 3, "rating": 5, "timestamp": 1600000100},
  {"user_id": 5000, "movie_id": 4, "rating": 2, "timestamp": 1600000200},
  {"user_id": 5001, "movie_id": 9001, "rating": 4, "timestamp": 1600000300}]}'
post recommendations '{"user_id": 5000}'
curl -sf -X DELETE "$url/v1/users/2" > /dev/null
kill "$server"; wait "$server" || true
nextreel keys create reader --scope read --store "sqlite:///$out/nextreel.db" > /dev/null
nextreel keys create writer --scope write --store "sqlite:///$out/nextreel.db" > /dev/null

# The store's answers, by the model alone: the experiment was only there to leave lists behind.
"$python" -m nextreel serve "$out/sequential-ridge" --store "sqlite:///$out/nextreel.db" --port 0 > "$work/log" 2>&1 &
server=$!
until grep -q 'http://' "$work/log"; do sleep 0.1; done
url=$(grep -o 'http://[0-9.:]*' "$work/log" | head -1)
until curl -sf "$url/readyz" > /dev/null; do sleep 0.1; done
"$python" - "$url" "$out" <<'PY'
import csv, json, sys, urllib.request
url, out = sys.argv[1:]
queries = [{"user_id": int(r["UserID"]), "timestamp": int(r["Timestamp"])} for r in csv.DictReader(open(f"{out}/queries.csv"))]
queries += [{"user_id": user, "timestamp": 1_700_000_000} for user in (2, 5000, 5001)]
def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))
answers = ask("/v1/recommendations/batch", {"queries": queries})["answers"]
people = {user: ask(f"/v1/users/{user}") for user in (3, 5, 5000)}
for person in people.values():
    for given in person["recommendations"]:
        given.pop("at")
json.dump({"queries": queries, "answers": answers, "people": people,
           "similar": ask("/v1/movies/9001/similar?at=1700000000"),
           "found": ask("/v1/movies?query=long+reel")}, open(f"{out}/served.json", "w"))
PY
kill "$server"; wait "$server" || true
"$python" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("PRAGMA journal_mode = DELETE")' "$out/nextreel.db"
