"""A bare ASGI app that pickles its state."""

import pickle


async def app(scope, receive, send):
    assert scope["type"] == "http"
    with open("state.pickle", "rb") as file:
        state = pickle.load(file)
    state["hits"] += 1
    with open("state.pickle", "wb") as file:  # BUG: SL105
        pickle.dump(state, file)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(state["hits"]).encode()})
