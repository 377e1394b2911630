"""Orders that are kept in a folder that stands for a service."""

import json
from pathlib import Path

from fastapi import Body, FastAPI

app = FastAPI()
ORDERS = Path("service/orders.json")


@app.post("/orders")
def add_order(order: dict = Body()):
    orders = json.loads(ORDERS.read_text())
    orders.append(order)
    ORDERS.write_text(json.dumps(orders))
    return orders
