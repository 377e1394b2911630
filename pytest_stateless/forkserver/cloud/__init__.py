"""The processes that are AWS for a session: moto, and frozen copies of it that remember.

    pytest ─ control sockets ─┬─ keeper: has imported moto, holds the empty state
                              ├─ worker: serves; forked from the keeper or from a holder
                              └─ holder: a copy of a worker as it was when a snapshot was taken

Only one worker runs at a time. All of them know the two listening sockets, which pytest has made:
so addresses stay what they are, and a call that comes while a worker is replaced waits. A process
ends when its control socket does, and so with pytest, however that ends.
"""
