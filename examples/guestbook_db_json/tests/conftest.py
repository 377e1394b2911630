import pytest


@pytest.fixture
def empty_book(tmp_path, monkeypatch):
    """A working directory with an empty guestbook in it."""
    (tmp_path / "db.json").write_text("[]", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def client(request, empty_book):
    """Flask's own test client, or the one of pytest-stateless where that is installed.

    The tests cannot tell the two apart. The first calls the app in this process, on this disk.
    """
    if request.config.pluginmanager.hasplugin("stateless"):
        return request.getfixturevalue("stateless").client
    from guestbook.app import app

    return app.test_client()
