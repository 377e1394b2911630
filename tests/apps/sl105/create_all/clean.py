"""A schema that is there already, and SQLAlchemy looks."""

from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = Flask(__name__)
engine = create_engine("sqlite:///made.db")


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    name: Mapped[str] = mapped_column(primary_key=True)


Base.metadata.create_all(engine)


@app.get("/")
def index():
    return "hello"
