"""A schema that SQLAlchemy makes as the app is imported."""

from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = Flask(__name__)
engine = create_engine("sqlite:///shop.db")


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    name: Mapped[str] = mapped_column(primary_key=True)


Base.metadata.create_all(engine)  # BUG: SL105


@app.get("/")
def index():
    return "hello"
