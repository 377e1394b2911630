"""A bare ASGI app that only unpickles what it was deployed with."""

import pickle


async def app(scope, receive, send):
    assert scope["type"] == "http"
    with open("state.pickle", "rb") as file:
        state = pickle.load(file)
    state["hits"] += 1
    state = pickle.loads(pickle.dumps(state))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(state["hits"]).encode()})
