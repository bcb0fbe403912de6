"""Invented exports, in each form in which sites give them."""

import io
from collections.abc import Mapping
from zipfile import ZIP_DEFLATED, ZipFile

from nextreel.data.exports.export_files import ExportFile
from nextreel.data.exports.export_reading import read_export
from nextreel.data.exports.viewings import Export

NOW = 1_735_689_600
"""2025-01-01, the present of the tests."""

RATINGS = """\
Date,Name,Year,Letterboxd URI,Rating
2023-01-01,Heat,1995,https://boxd.it/a,4.5
2023-01-02,Alien,1979,https://boxd.it/b,3
"""
DIARY = """\
Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date
2023-02-02,Heat,1995,https://boxd.it/c,,,cinema,2020-05-01
2023-02-03,Heat,1995,https://boxd.it/d,5,Yes,"a, b",2022-05-01
"""
WATCHED = """\
Date,Name,Year,Letterboxd URI
2023-01-01,Heat,1995,https://boxd.it/a
2023-03-01,"I, Robot",2004,https://boxd.it/e
"""
IMDB = """\
Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,Release Date,Directors
tt0113277,9,2023-01-01,Heat,Heat,https://www.imdb.com/title/tt0113277/,Movie,8.3,170,1995,"Crime, Drama",1,1995-12-15,Michael Mann
tt0903747,10,2023-01-02,Breaking Bad,Breaking Bad,https://www.imdb.com/title/tt0903747/,TV Series,9.5,45,2008,Drama,1,2008-01-20,
tt0959621,8,2023-01-03,Pilot,Pilot,https://www.imdb.com/title/tt0959621/,TV Episode,9,58,2008,Drama,1,2008-01-20,
"""
IMDB_OF_2020 = """\
Const,Your Rating,Date Rated,Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,Release Date,Directors
tt0113277,9,2023-01-01,Heat,https://www.imdb.com/title/tt0113277/,movie,8.3,170,1995,"Crime, Drama",1,1995-12-15,Michael Mann
tt0903747,10,2023-01-02,Breaking Bad,https://www.imdb.com/title/tt0903747/,tvMiniSeries,9.5,45,2008,Drama,1,2008-01-20,
"""
IMDB_UNTIL_2017 = """\
"position","const","created","modified","description","Title","Title type","Directors","You rated","IMDb Rating","Runtime (mins)","Year","Genres","Num. Votes","Release Date (month/day/year)","URL"
"1","tt0113277","Sun Mar  1 00:00:00 2015","","","Heat","Feature Film","Michael Mann","9","8.2","170","1995","crime","1","1995-12-15","http://www.imdb.com/title/tt0113277/"
"2","tt0903747","Sun Mar  1 00:00:00 2015","","","Breaking Bad","TV Series","","10","9.5","45","2008","crime","1","2008-01-20","http://www.imdb.com/title/tt0903747/"
"""
NETFLIX = """\
Title,Date
"Dark: Season 1: Secrets","1/31/23"
"Heat","1/30/23"
"The Lord of the Rings: The Two Towers","1/2/23"
"""
MOVIELENS = """\
movie_id,imdb_id,tmdb_id,rating,average_rating,title
6,0113277,949,4.5,3.9,Heat (1995)
1214,0078748,348,3.0,4.0,"Thing, The (1982)"
"""
OWN_ROWS = """\
userId,movieId,rating,timestamp
7,6,4.5,1600000000
7,1214,3,1600000100
"""
FORMS = {
    "Letterboxd ratings": RATINGS,
    "Letterboxd diary": DIARY,
    "Letterboxd watched films": WATCHED,
    "IMDb ratings": IMDB,
    "IMDb ratings, as until 2017": IMDB_UNTIL_2017,
    "Netflix viewing history": NETFLIX,
    "MovieLens ratings": MOVIELENS,
}


def read(text: str | bytes, name: str = "any name", **options: object) -> Export:
    """Read one file."""
    data = text.encode() if isinstance(text, str) else text
    return read_export(ExportFile(name, data), NOW, **options)  # type: ignore[arg-type]


def pack(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip of these files."""
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
