from benchmarks.page.markup import Markup, element, joined, table

EVIL = '<script>alert("x")</script>&'
TAME = "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;"


def test_element_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", {}, EVIL, Markup("<b>b</b>")) == f"<p>{TAME}<b>b</b></p>"


def test_element_attribute_cannot_be_left() -> None:
    assert element("p", {"title": '" onclick="x'}) == '<p title="&quot; onclick=&quot;x"></p>'


def test_element_numbers_are_short() -> None:
    drawn = element("rect", {"x": 1.0, "y": 2.3456, "width": 100, "height": 10.0})
    assert drawn == '<rect x="1" y="2.35" width="100" height="10"/>'


def test_joined_added_text_is_escaped_again() -> None:
    glued = Markup("<b>") + EVIL  # a plain str: what was glued together is no longer trusted
    assert joined(glued) == f"&lt;b&gt;{TAME}"


def test_table_has_caption_and_scopes() -> None:
    made = table("times & more", ["name", "ms"], [["a<b", "1"]])
    assert "<caption><span>times &amp; more</span></caption>" in made
    assert '<th scope="col">name</th><th scope="col" class="number">ms</th>' in made
    assert '<tr><th scope="row">a&lt;b</th><td class="number">1</td></tr>' in made
    assert 'tabindex="0" role="region" aria-label="times &amp; more"' in made
