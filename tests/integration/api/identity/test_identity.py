"""Accounts over HTTP, read back from the tables."""

from uuid import uuid4

import pytest

from api.identity.jobs import forget_expired_tokens
from api.kernel.context import open_context
from api.kernel.settings import Settings
from tests.harness.shop import PASSWORD, Shop, problem

ADDRESS = {"street": "1 Market Street", "city": "San Francisco", "state": "CA", "zipCode": "94105", "country": "US"}


def test_register_answers_the_user_and_a_token_pair_and_stores_a_hash(shop: Shop) -> None:
    body = {"email": "Anna@Example.com ", "password": PASSWORD, "name": "Anna Shopper", "phone": "+44 20 7946 0000"}

    answer = shop.client.post("/api/v1/auth/register", json={**body, "email": "Anna@Example.com"})

    assert answer.status_code == 201
    data = answer.json()
    assert data.keys() == {"user", "accessToken", "refreshToken", "tokenType", "expiresIn"}
    assert data["user"] == {
        "userId": data["user"]["userId"],
        "email": "anna@example.com",
        "name": "Anna Shopper",
        "userType": "customer",
    }
    assert (data["tokenType"], data["expiresIn"]) == ("Bearer", 600)
    row = shop.sql.execute(
        "select email, password_hash, phone, user_type, origin from users where user_id = %s", (data["user"]["userId"],)
    ).fetchone()
    assert row is not None
    assert row[0] == "anna@example.com"
    assert row[1].startswith("$argon2id$")
    assert row[2:] == ("+44 20 7946 0000", "customer", "native")
    # Neither token is in the table: a stolen backup signs nobody in.
    stored = shop.scalar(
        "select count(*) from refresh_tokens where encode(token_hash, 'escape') = %s", (data["refreshToken"],)
    )
    assert stored == 0


def test_registering_a_seller_opens_a_store(shop: Shop) -> None:
    seller = shop.person("seller")

    assert shop.sql.execute(
        "select name, verified, rating from sellers where seller_id = %s", (seller.user_id,)
    ).fetchone() == (
        "Some Seller",
        True,
        0,
    )


def test_nobody_registers_as_admin(shop: Shop) -> None:
    body = {"email": "root@example.com", "password": PASSWORD, "name": "Root", "userType": "admin"}

    answer = shop.client.post("/api/v1/auth/register", json=body)

    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/userType"
    assert shop.scalar("select count(*) from users where email = 'root@example.com'") == 0


def test_an_address_registers_once_whatever_its_case(shop: Shop) -> None:
    person = shop.person()

    answer = shop.client.post(
        "/api/v1/auth/register", json={"email": person.email.upper(), "password": PASSWORD, "name": "Again"}
    )

    problem(answer, 409, "email-taken")
    assert shop.scalar("select count(*) from users where email = %s", (person.email,)) == 1


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("short", "at least 8 characters"),
        ("x1" * 65, "at most 128 characters"),
        ("password1", "this password is among the most common ones"),
        ("QWERTYUIOP", "this password is among the most common ones"),
        ("zzzzzzzzzzzz", "repeated or consecutive characters are guessed first"),
        ("cdefghijkl", "repeated or consecutive characters are guessed first"),
        ("barnaby#77", "too close to your name, your e-mail address or the name of the shop"),
        ("souk-2026!", "too close to your name, your e-mail address or the name of the shop"),
    ],
)
def test_passwords_that_guessers_try_first_are_refused(shop: Shop, password: str, message: str) -> None:
    body = {"email": "barnaby@example.com", "password": password, "name": "Barnaby Rudge"}

    answer = shop.client.post("/api/v1/auth/register", json=body)

    assert problem(answer, 422, "validation-failed")["errors"] == [{"pointer": "/password", "message": message}]
    assert password not in answer.text
    assert shop.scalar("select count(*) from users where email = 'barnaby@example.com'") == 0


def test_a_password_may_be_a_sentence_in_any_script(shop: Shop) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": " мой длинный пароль 🙂 ", "name": "Аня"}
    assert shop.client.post("/api/v1/auth/register", json=body).status_code == 201

    right = shop.client.post("/api/v1/auth/login", json={"email": body["email"], "password": body["password"]})
    stripped = shop.client.post(
        "/api/v1/auth/login", json={"email": body["email"], "password": body["password"].strip()}
    )

    assert right.status_code == 200
    problem(stripped, 401, "invalid-credentials")


def test_login_answers_as_register_does(shop: Shop) -> None:
    person = shop.person()

    answer = shop.client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})

    assert answer.status_code == 200
    assert answer.json()["user"]["userId"] == person.user_id
    assert answer.json()["refreshToken"] != person.refresh_token


def test_unknown_address_and_wrong_password_cannot_be_told_apart(shop: Shop) -> None:
    person = shop.person()

    unknown = problem(
        shop.client.post("/api/v1/auth/login", json={"email": "nobody@example.com", "password": PASSWORD}),
        401,
        "invalid-credentials",
    )
    wrong = problem(
        shop.client.post("/api/v1/auth/login", json={"email": person.email, "password": "something else"}),
        401,
        "invalid-credentials",
    )

    assert {key: value for key, value in unknown.items() if key != "traceId"} == {
        k: v for k, v in wrong.items() if k != "traceId"
    }


def test_profile_shows_and_changes_only_what_was_sent(shop: Shop) -> None:
    person = shop.person()
    before = shop.client.get("/api/v1/users/me", headers=person.headers).json()
    assert before["email"] == person.email
    assert before.keys() == {
        "userId", "email", "name", "userType", "phone", "primeMember", "primeExpiry", "createdAt", "updatedAt",
    }  # fmt: skip

    named = shop.client.patch("/api/v1/users/me", json={"name": "New Name"}, headers=person.headers).json()
    phoned = shop.client.patch("/api/v1/users/me", json={"phone": "020 7946 0000"}, headers=person.headers).json()
    cleared = shop.client.patch("/api/v1/users/me", json={"phone": None}, headers=person.headers).json()

    assert (named["name"], named["phone"]) == ("New Name", None)
    assert (phoned["name"], phoned["phone"]) == ("New Name", "020 7946 0000")
    assert cleared["phone"] is None
    assert shop.scalar("select name from users where user_id = %s", (person.user_id,)) == "New Name"


def test_profile_refuses_what_is_not_the_users_to_change(shop: Shop) -> None:
    person = shop.person()

    answer = shop.client.patch(
        "/api/v1/users/me", json={"userType": "admin", "primeMember": True}, headers=person.headers
    )

    pointers = {error["pointer"] for error in problem(answer, 422, "validation-failed")["errors"]}
    assert pointers == {"/userType", "/primeMember"}
    assert shop.scalar("select user_type from users where user_id = %s", (person.user_id,)) == "customer"


def test_the_profile_needs_a_session(shop: Shop) -> None:
    problem(shop.client.get("/api/v1/users/me"), 401, "not-authenticated")


def test_exactly_one_address_is_the_default(shop: Shop) -> None:
    person = shop.person()
    url = "/api/v1/users/me/addresses"

    first = shop.client.post(url, json=ADDRESS, headers=person.headers)
    second = shop.client.post(url, json={**ADDRESS, "city": "Oakland", "addressType": "work"}, headers=person.headers)
    third = shop.client.post(url, json={**ADDRESS, "city": "Berkeley", "isDefault": True}, headers=person.headers)

    assert [answer.status_code for answer in (first, second, third)] == [201, 201, 201]
    assert [answer.json()["isDefault"] for answer in (first, second, third)] == [True, False, True]
    listed = shop.client.get(url, headers=person.headers).json()["addresses"]
    assert [(entry["city"], entry["isDefault"]) for entry in listed] == [
        ("Berkeley", True),
        ("Oakland", False),
        ("San Francisco", False),
    ]

    assert shop.client.delete(f"{url}/{third.json()['addressId']}", headers=person.headers).status_code == 204

    listed = shop.client.get(url, headers=person.headers).json()["addresses"]
    assert [(entry["city"], entry["isDefault"]) for entry in listed] == [("Oakland", True), ("San Francisco", False)]


def test_other_peoples_addresses_do_not_exist(shop: Shop) -> None:
    owner, other = shop.person(), shop.person()
    address = shop.client.post("/api/v1/users/me/addresses", json=ADDRESS, headers=owner.headers).json()

    answer = shop.client.delete(f"/api/v1/users/me/addresses/{address['addressId']}", headers=other.headers)

    problem(answer, 404, "address-not-found")
    assert shop.client.get("/api/v1/users/me/addresses", headers=other.headers).json() == {"addresses": []}
    assert shop.scalar("select count(*) from addresses where address_id = %s", (address["addressId"],)) == 1


def test_the_keys_are_published_without_the_private_half(shop: Shop) -> None:
    keys = shop.client.get("/.well-known/jwks.json").json()["keys"]

    assert [key.keys() for key in keys] == [{"kty", "crv", "use", "alg", "kid", "x"}]


async def test_expired_refresh_tokens_are_forgotten_and_others_stay(
    shop: Shop, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.identity.jobs.BATCH", 2)
    gone, kept = shop.person(), shop.person()
    for _ in range(4):
        shop.client.post("/api/v1/auth/login", json={"email": gone.email, "password": PASSWORD})
    expired = shop.sql.execute(
        "update refresh_tokens set expires_at = now() where user_id = %s", (gone.user_id,)
    ).rowcount
    problem(
        shop.client.post("/api/v1/auth/refresh", json={"refreshToken": gone.refresh_token}),
        401,
        "invalid-refresh-token",
    )

    settings = Settings.model_validate({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    async with open_context(settings) as context:
        assert await forget_expired_tokens(context) == expired == 5
        assert await forget_expired_tokens(context) == 0

    assert shop.scalar("select count(*) from refresh_tokens where user_id = %s", (gone.user_id,)) == 0
    problem(
        shop.client.post("/api/v1/auth/refresh", json={"refreshToken": gone.refresh_token}),
        401,
        "invalid-refresh-token",
    )
    assert shop.client.post("/api/v1/auth/refresh", json={"refreshToken": kept.refresh_token}).status_code == 200
