"""What runs inside the sandbox of `rsft.scoring.sandbox`. The standard library only.

Three processes, in the order they start:

1. the warder (`main`) takes new namespaces, starts the examiner in them and waits for it;
2. the examiner (`calls`, `programs`), first process of its namespace, shuts everything but a few
   read-only folders out (`isolation`), starts the candidate's spawner, and only then reads the tests
   and the secret; it compares, and says the verdict. When it ends, the kernel ends the rest;
3. the candidate's processes (`candidate`), under another user number where that can be had.

Examiner and candidate's process call each other over one channel: plain values cross (`wire`), other objects
stay and are stood for (`proxy`), and what tests hand over beside values has few uses there (`lent`).
"""
