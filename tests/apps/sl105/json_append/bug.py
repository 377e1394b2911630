"""Orders that are kept in a json file."""

import json
from pathlib import Path

from fastapi import Body, FastAPI

app = FastAPI()
ORDERS = Path("orders.json")


@app.post("/orders")
def add_order(order: dict = Body()):
    orders = json.loads(ORDERS.read_text())
    orders.append(order)
    ORDERS.write_text(json.dumps(orders))  # BUG: SL105
    return orders
