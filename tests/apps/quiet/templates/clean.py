"""Flask with templates, static files, cookies, uploads and a generator."""

from flask import Flask, render_template, request, send_file, session, stream_with_context

app = Flask(__name__)
app.secret_key = "the same on every instance"


@app.get("/page")
def page():
    return render_template("page.html", name="ann")


@app.get("/file")
def file():
    return send_file(__file__)


@app.post("/upload")
def upload():
    session["size"] = len(request.files["picture"].read())
    return str(session["size"])


@app.get("/stream")
def stream():
    def rows():
        try:
            for number in range(3):
                yield f"{number} {request.path}\n"
        finally:
            print("streamed")

    return stream_with_context(rows())


@app.teardown_appcontext
def teardown(error):
    print("teardown")


@app.after_request
def after(response):
    response.headers["X-After"] = "1"
    return response
