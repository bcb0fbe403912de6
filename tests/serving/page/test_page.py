"""The page as a client without scripts sees it."""

import re

import pytest

from nextreel.serving.inference.movie_cards import MovieCard
from nextreel.serving.page.new_user import NEW_USER_ID
from nextreel.serving.page.posters import MOTIFS, TELLING_GENRES, Poster, design_posters
from tests.serving.servers import LATE, Server


@pytest.fixture
def site(server: Server) -> Server:
    return server


def html(site: Server, path: str, status: int = 200, headers: dict[str, str] | None = None) -> str:
    response = site.http.get(path, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def listed(text: str) -> list[int]:
    """Return the MovieIDs of the posters, read from their links to the reasons."""
    return [int(movie_id) for movie_id in re.findall(r'class="why" href="/why\?[^"]*movie=(\d+)', text)]


def test_the_ten_are_those_of_the_api(site: Server) -> None:
    timestamp = site.ok("GET", "/v1/users/1/history")["history"][9]["timestamp"]
    steps = sorted({row["timestamp"] for row in site.ok("GET", "/v1/users/1/history")["history"]})
    text = html(site, f"/time-travel?user=1&moment={steps.index(timestamp)}")
    assert listed(text) == [movie["movie_id"] for movie in site.recommend(1, timestamp)["movies"]]


def test_the_first_page_asks_a_new_user_about_a_dozen_well_known_movies(site: Server) -> None:
    text = html(site, "/")
    asked = [int(movie_id) for movie_id in re.findall(r'id="starter-(\d+)"', text)]
    assert len(set(asked)) == 12
    assert text.count('aria-pressed="false"') == 12
    rated = html(site, f"/you?stars-{asked[3]}=5")
    assert re.search(rf'id="starter-{asked[3]}"[^>]+name="forget"[^>]+aria-pressed="true"', rated)
    assert rated.count('aria-pressed="true"') == 1


def test_a_new_user_is_not_asked_about_a_deleted_movie(site: Server) -> None:
    asked = re.findall(r'id="starter-(\d+)"', html(site, "/"))
    deleted = next(movie_id for movie_id in asked if int(movie_id) > 20)
    assert site.http.delete(f"/v1/movies/{deleted}").status_code == 204
    remaining = re.findall(r'id="starter-(\d+)"', html(site, "/"))
    assert deleted not in remaining
    assert len(remaining) == 12


@pytest.mark.parametrize("address", ["user=1&moment=4", "user=1", "moment=4"])
def test_older_links_to_time_travel_still_work(site: Server, address: str) -> None:
    assert html(site, f"/?{address}") == html(site, f"/time-travel?{address}")


def test_a_person_with_a_browser_gets_a_page_where_there_is_none(site: Server) -> None:
    accept = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/movies", "/you/and/me", "/assets/nothing.css"):
        text = html(site, path, 404, accept)
        assert "There is no such page" in text
        assert 'href="/"' in text


@pytest.mark.parametrize(
    ("path", "accept"), [("/v1/nothing", "text/html"), ("/nothing", "application/json"), ("/nothing", "*/*")]
)
def test_a_program_gets_problem_details_where_there_is_nothing(site: Server, path: str, accept: str) -> None:
    site.problem(404, "GET", path, headers={"accept": accept})


def test_where_filters_leave_nothing_a_link_clears_them_and_keeps_the_ratings(site: Server) -> None:
    text = html(site, "/you?stars-5=4&year_min=1700&year_max=1701&diversity=20")
    assert "No movie matches these filters, apart from those you have rated." in text
    (link,) = re.findall(r'href="([^"]+)">Clear the filters', text)
    assert link == "/you?stars-5=4"
    assert len(listed(html(site, link))) == 10


def test_a_new_rating_is_a_step_of_the_browsers_history_and_typing_is_none(site: Server) -> None:
    def change(path: str, trigger: str) -> dict[str, str]:
        headers = {"HX-Request": "true", "HX-Trigger": trigger, "HX-Current-URL": f"{site.url}/you?stars-5=4"}
        response = site.http.get(path, headers=headers)
        return {name: value for name, value in response.headers.items() if name.endswith("-url")}

    assert change("/you?stars-5=4&new-7=5&q=&year_min=", "you") == {"hx-push-url": "/you?stars-7=5&stars-5=4"}
    assert change("/you?stars-5=4&q=the", "q") == {"hx-replace-url": "/you?stars-5=4&q=the"}
    assert change("/you?stars-5=4", "you") == {"hx-replace-url": "/you?stars-5=4"}
    assert change("/time-travel?user=1&moment=3", "moment") == {
        "hx-replace-url": "/time-travel?user=1&moment=3"
    }


def test_a_new_users_ten_are_those_of_the_api(site: Server) -> None:
    history = [{"movie_id": 3, "rating": 2}, {"movie_id": 5, "rating": 4.5}]
    result = site.recommend(0, history=history, include_genres=["Drama"], diversity=0.4)
    text = html(site, "/you?stars-5=4.5&stars-3=2&genre=Drama&diversity=40")
    assert listed(text) == [movie["movie_id"] for movie in result["movies"]]


def test_what_a_new_user_rates_is_not_stored(site: Server) -> None:
    earlier = html(site, "/model")
    html(site, "/you?stars-5=4&new-7=5")
    assert html(site, "/model") == earlier
    site.problem(404, "GET", f"/v1/users/{NEW_USER_ID}")


def test_a_new_rating_is_the_latest_and_replaces_an_earlier_one_of_the_movie(site: Server) -> None:
    text = html(site, "/you?stars-5=4&stars-3=2&new-3=5")
    assert re.findall(r'value="(\d)" checked', text) == ["5", "4"]
    assert re.findall(r'class="forget" name="forget" value="(\d+)"', text) == ["3", "5"]


def test_several_movies_can_be_forgotten_at_once(site: Server) -> None:
    text = html(site, "/you?stars-5=4&stars-3=2&new-7=5&forget=3&forget=7&forget=8")
    assert re.findall(r'class="forget" name="forget" value="(\d+)"', text) == ["5"]


def test_a_step_beyond_the_last_is_the_last(site: Server) -> None:
    assert "Nothing yet" in html(site, "/time-travel?user=1&moment=999999")


def test_an_unknown_user_gets_what_is_popular(site: Server) -> None:
    text = html(site, "/time-travel?user=987654")
    assert "so these are what was popular" in text
    assert text.count('class="poster ') >= 10


def test_htmx_gets_the_part_that_changes(site: Server) -> None:
    part = html(site, "/time-travel?user=1&moment=4", headers={"HX-Request": "true"})
    assert part.lstrip().startswith('<div id="list"')
    assert 'id="as-of"' in part
    assert "<html" not in part


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/time-travel?user=nobody", "User is &#39;nobody&#39;"),
        ("/time-travel?user=1&moment=-1", "Moment is &#39;-1&#39;"),
        (f"/time-travel?user={'9' * 5_000}", "expected a whole number"),
        (f"/you?stars-{'9' * 5_000}=5", "expected a whole number"),
        ("/you?stars-5=9", "expected 0.5 to 5 stars"),
        ("/you?stars-x=3", "expected a whole number"),
        ("/you?stars-987654=3", "Movie 987654 isn&#39;t in the catalog"),
        ("/you?genre=Opera", "no movie has the genre"),
        ("/you?year_min=2010&year_max=2000", "no year is in between"),
        ("/you?" + "&".join(f"stars-{i}=3" for i in range(149)) + "&diversity=3x", "Diversity is"),
        ("/why?user=1", "Movie is missing"),
        (f"/why?user=1&at={LATE}&movie=987654", "isn&#39;t in this list"),
    ],
)
def test_what_cant_be_shown_is_explained_as_a_page(site: Server, path: str, problem: str) -> None:
    text = html(site, path, 422)
    assert problem.casefold() in text.casefold()
    assert "Traceback" not in text


def test_what_a_visitor_types_is_only_ever_text(site: Server) -> None:
    assert "<script>alert" not in html(site, "/you?q=<script>alert(1)</script>")
    assert "<script>alert" not in html(site, "/time-travel?user=<script>alert(1)</script>", 422)


def test_a_page_may_load_from_its_own_host_only(site: Server) -> None:
    response = site.http.get("/")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "private, no-cache"
    assert not re.search(r"""<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://(?!127)""", response.text)


def test_static_files_are_kept_until_they_change(site: Server) -> None:
    paths = re.findall(r'(?:src|href)="(/assets/[^"]+)"', html(site, "/"))
    assert len(paths) == 4
    for path in paths:
        response = site.http.get(path)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert re.search(r"\?v=[0-9a-f]{12}$", path)
    site.problem(404, "GET", "/assets/nothing.css")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("htmx.LICENSE.txt", "text/plain; charset=utf-8"),
    ],
)
def test_a_static_file_has_its_media_type_on_every_system(site: Server, name: str, media_type: str) -> None:
    assert site.http.get(f"/assets/{name}").headers["content-type"] == media_type


def test_the_licence_of_htmx_goes_with_it(site: Server) -> None:
    assert "Zero-Clause BSD" in site.http.get("/assets/htmx.LICENSE.txt").text


def test_the_model_view_says_what_is_known_of_the_model(site: Server) -> None:
    text = html(site, "/model")
    facts = site.ok("GET", "/v1/model")
    assert facts["name"] in text
    assert facts["version"] in text
    assert "the model has learned everything up to here" in text
    assert "Nobody has measured yet how good it is." in text


def poster(title: str, genres: list[str], year: int | None = 1995, movie_id: int = 1) -> Poster:
    return Poster.of({"movie_id": movie_id, "title": title, "genres": genres, "year": year})


def test_a_movie_always_has_the_same_poster() -> None:
    assert poster("Heat (1995)", ["Action", "Crime"]) == poster("Heat (1995)", ["Action", "Crime"])


def test_the_most_telling_genre_gives_the_look_and_the_next_one_the_accent() -> None:
    war_drama = poster("Paths of Glory (1957)", ["Drama", "War"], 1957)
    assert (war_drama.look, war_drama.accent, war_drama.title) == ("war", "drama", "Paths of Glory")


def test_genres_of_other_data_and_none_at_all_have_a_look_too() -> None:
    assert poster("X", ["Opera"]).look == poster("Y", ["Opera"]).look
    assert poster("X", []).look == "drama"
    assert poster("Y", ["Children's"]).look == "children"


def test_a_movie_without_title_and_year_has_a_poster() -> None:
    untitled = Poster.of({"movie_id": 7, "title": None, "genres": [], "year": None})
    assert (untitled.title, untitled.year) == ("Movie 7", None)


def test_longer_titles_are_set_smaller() -> None:
    short, long = poster("Heat", []), poster("Those Magnificent Men in Their Flying Machines", [])
    assert short.size < long.size


def test_movies_of_one_list_have_different_motifs_as_far_as_their_genres_have_them() -> None:
    movies: list[MovieCard] = [
        {"movie_id": i, "title": f"Title {i}", "genres": ["Action", "Sci-Fi", "Thriller"], "year": 1995}
        for i in range(8)
    ]
    posters = design_posters(movies)
    assert len({poster.motif for poster in posters.values()}) == 8
    assert design_posters(movies[::-1]) == posters


def test_posters_with_the_same_motif_are_turned_differently() -> None:
    movies: list[MovieCard] = [
        {"movie_id": i, "title": f"Title {i}", "genres": ["Western"], "year": 1995} for i in (1, 1 + 10**9)
    ]
    first, second = design_posters(movies).values()
    assert first.motif == second.motif
    alone = [Poster.of(movie).turn for movie in movies]
    assert [first.turn, second.turn] == [alone[0], (alone[1] + 1) % 6]


def test_every_motif_of_a_poster_is_drawn(site: Server) -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', html(site, "/")))
    assert drawn == {motif for look in TELLING_GENRES for motif in MOTIFS.get(look, (look,))}
