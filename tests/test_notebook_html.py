from nextreel.notebook_html import to_html


def test_every_text_is_escaped() -> None:
    html = to_html("<a>", [("<b>", "<c>")], ("<d>", "&"), ["<e>"])
    assert all(f"&lt;{letter}&gt;" in html for letter in "abcde")
    assert "<th>&amp;</th>" in html
    assert not any(f"<{letter}>" in html for letter in "abcde")
