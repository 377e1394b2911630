"""SQLAlchemy's unit of work, with nothing to write."""

from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = Flask(__name__)
engine = create_engine("sqlite:///catalogue.sqlite3")


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    name: Mapped[str] = mapped_column(primary_key=True)


@app.post("/items/<name>")
def add_item(name):
    with Session(engine) as session:
        session.get(Item, name)
        session.commit()
    return name
