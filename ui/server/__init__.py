"""`saccade serve`: the engine and the agent behind an OpenAI-compatible HTTP API. Needs the extra `server`.

app.py        the application and its rooms       settings.py   what the one who serves decides
guard.py      key, origin, size: before any route  errors.py     what can go wrong, in OpenAI's form
wire.py       a request, checked                   ask.py        a request -> the engine's terms
reader.py     tokens -> thought, text, calls       answer.py     a reply -> OpenAI's terms
chat.py       /v1/chat/completions                 sse.py        server-sent events
metrics.py    /metrics                             serve.py      sockets, signals, the orderly end
address.py    who can reach an address
"""
