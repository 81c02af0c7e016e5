"""Tables of names and what a sandbox sees of them."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from havre.networks.dns.names import Member, Table, view_of

TWO, THREE, SIX = ip_address("10.0.0.2"), ip_address("10.0.0.3"), ip_address("fd00::2")
WEB = Member(("web", "Web.front", "0123456789ab"), (TWO, SIX), "web.front")
DB = Member(("db", "web"), (THREE,), "db.front")


def table(**members: Member) -> Table:
    made = Table()
    for key, member in members.items():
        made.put(key, member)
    return made


def test_every_name_of_a_member_leads_to_all_its_addresses() -> None:
    made = table(web=WEB)
    for name in ("web", "web.front", "0123456789ab"):
        assert made.find(name) == (TWO, SIX)
    assert made.find("db") is None
    assert made.find_pointer(SIX) == "web.front"
    assert made.find_pointer(THREE) is None


def test_a_shared_name_leads_to_all_who_have_it() -> None:
    assert table(web=WEB, db=DB).find("web") == (TWO, SIX, THREE)


def test_a_dropped_member_takes_its_names_along() -> None:
    made = table(web=WEB, db=DB)
    made.drop("web")
    made.drop("web")
    assert made.find("web") == (THREE,)
    assert made.find("web.front") is None
    assert made.find_pointer(TWO) is None


def test_a_member_put_again_has_only_its_new_names() -> None:
    made = table(web=WEB)
    made.put("web", Member(("www",), (THREE,), "www.front"))
    assert made.find("web") is None
    assert made.find("www") == (THREE,)
    assert made.find_pointer(TWO) is None


def test_a_wildcard_stands_for_what_nobody_has() -> None:
    made = table(
        app=Member(("*.app.test",), (TWO,), "app"), shop=Member(("shop.app.test", "*.shop.app.test"), (THREE,), "s")
    )
    assert made.find("any.app.test") == (TWO,)
    assert made.find("a.b.app.test") == (TWO,)
    assert made.find("shop.app.test") == (THREE,)
    assert made.find("a.shop.app.test") == (THREE,)
    assert made.find("app.test") is None
    made.drop("app")
    assert made.find("any.app.test") is None


def test_the_first_table_that_knows_a_name_answers() -> None:
    own, shared = table(db=Member(("web",), (THREE,), "link")), table(web=WEB)
    view = view_of([own, shared])
    assert view.find("web") == (THREE,)
    assert view.find("web.front") == (TWO, SIX)
    assert view.find("none") is None
    assert view.find_pointer(TWO) == "web.front"
    assert view.find_pointer(ip_address("10.9.9.9")) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.sets(st.sampled_from(["x", "y", "*.z", "Q"])))))
def test_a_table_holds_what_its_members_say(steps: list[tuple[str, bool, set[str]]]) -> None:
    made, kept = Table(), {}
    for key, put, names in steps:
        if put:
            kept[key] = names
            made.put(key, Member(tuple(names), (ip_address(f"10.0.0.{ord(key)}"),), key))
        else:
            kept.pop(key, None)
            made.drop(key)
    for name, asked in (("x", "x"), ("y", "y"), ("*.z", "any.z"), ("Q", "q")):
        wanted = {ip_address(f"10.0.0.{ord(key)}") for key, names in kept.items() if name in names}
        assert set(made.find(asked) or ()) == wanted
