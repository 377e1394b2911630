# The first test passes everywhere. The second one passes on a laptop, and fails where each request
# is served as a serverless platform would serve it:
#
#     pytest -p no:stateless      2 passed
#     pytest                      1 failed, 1 passed


def test_a_new_guestbook_is_empty(client):
    response = client.get("/entries")
    assert response.status_code == 200
    assert response.text.strip() == "[]"


def test_an_entry_is_kept(client):
    signed = client.post("/entries", json={"name": "Ann", "text": "Lovely place!"})
    assert signed.status_code == 201
    assert "Lovely place!" in client.get("/entries").text
