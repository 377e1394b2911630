import json


def api_event(method, path, body=None):
    """What API Gateway hands to the handler, as far as the handler reads it."""
    return {
        "version": "2.0",
        "requestContext": {"http": {"method": method, "path": path}},
        "body": json.dumps(body) if body else None,
    }


# By HTTP verbs: the plugin makes the event, and a response of what the handler returns.


def test_an_order_is_kept(stateless):
    assert stateless.post("/orders", json={"id": "1", "sku": "tea"}).status_code == 201
    assert stateless.get("/orders/1").json() == {"id": "1", "sku": "tea"}


def test_an_order_is_not_overwritten(stateless):
    stateless.post("/orders", json={"id": "1", "sku": "tea"})
    assert stateless.post("/orders", json={"id": "1", "sku": "coffee"}).status_code == 409
    assert stateless.get("/orders/1").json()["sku"] == "tea"


def test_an_order_that_nobody_placed_is_not_found(stateless):
    assert stateless.get("/orders/2").status_code == 404


# By events, as they come.


def test_an_event_places_an_order(stateless, table):
    placed = stateless.invoke(api_event("POST", "/orders", {"id": "1", "sku": "tea"}))
    assert placed["statusCode"] == 201
    assert table.get_item(Key={"id": "1"})["Item"] == {"id": "1", "sku": "tea"}


def test_an_event_that_comes_twice_places_one_order(stateless, table):
    event = api_event("POST", "/orders", {"id": "1", "sku": "tea"})
    assert [stateless.invoke(event)["statusCode"] for _ in range(2)] == [201, 409]
    assert len(table.scan()["Items"]) == 1
