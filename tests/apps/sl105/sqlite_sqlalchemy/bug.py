"""SQLAlchemy over a sqlite file."""

from fastapi import FastAPI
from sqlalchemy import create_engine, text

app = FastAPI()
engine = create_engine("sqlite:///catalogue.sqlite3")


@app.post("/items/{name}")
def add_item(name: str):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO items VALUES (:name)"), {"name": name})  # BUG: SL105
        return connection.execute(text("SELECT count(*) FROM items")).scalar()
