"""The table of synonyms that a query is read with."""

from api.search.engine.synonyms import Current, Pair, SynonymTable, folded


def test_a_pair_stands_for_each_other_in_any_spelling() -> None:
    table = SynonymTable([Pair("Sofa", "couch"), Pair("sofa", "Settee"), Pair("TV", "television set")])

    assert table.of("SOFA") == ["couch", "settee"]
    assert table.of("couch") == ["sofa"]
    assert table.of("tv") == ["television set"]
    assert table.of("Television  Set") == ["tv"]
    assert table.of("lamp") == []


def test_a_pair_of_a_language_is_for_its_readers() -> None:
    table = SynonymTable([Pair("handy", "mobile phone"), Pair("handy", "smartphone", "de")])

    assert table.of("handy") == ["mobile phone"]
    assert table.of("handy", "fr") == ["mobile phone"]
    assert table.of("handy", "de") == ["mobile phone", "smartphone"]
    german = SynonymTable([Pair("handy", "smartphone", "de")], own="de")
    assert (german.of("handy"), german.of("handy", "de"), german.of("handy", "en")) == (
        ["smartphone"],
        ["smartphone"],
        [],
    )


def test_an_expression_is_no_synonym_of_itself() -> None:
    assert len(SynonymTable([Pair("Café", "cafe"), Pair(" ", "cafe"), Pair("cafe", "")])) == 0


def test_whoever_asks_sees_the_newest_table() -> None:
    current = Current()
    before = current.of("sofa")
    current.table = SynonymTable([Pair("sofa", "couch")])

    assert (before, current.of("sofa")) == ([], ["couch"])


def test_folding() -> None:
    assert folded("  Crème  BRÛLÉE ") == "creme brulee"
    assert folded("Straße") == "strasse"
    assert folded("手机") == "手机"
