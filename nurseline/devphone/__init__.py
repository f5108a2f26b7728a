"""A local stand-in for Twilio, with a phone in the browser.

It is a process of its own (`python -m nurseline.devphone`), listens on 127.0.0.1 only, and shares nothing
with the line but HTTP: the line asks its REST interface, and it posts signed webhooks to the line.
Settings, all needed: DEVPHONE_PORT, DEVPHONE_LINE_URL, DEVPHONE_NUMBER, DEVPHONE_STATE (a folder),
TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN. For runs: DEVPHONE_FAULTS (JSON as below), DEVPHONE_LEDGER (file or
memory), DEVPHONE_API_PORT (a second port for the REST interface, which a fault can take away). A missing or
wrong one is one line on stderr and exit status 2. GET /healthz answers 200 when it runs.

Webhooks it calls: LINE/sms for texts, LINE/voice for calls, LINE/voice/status when a call to the line
ended. REST (basic auth with the account): /2010-04-01/Accounts/{sid}/Messages.json, Messages/{sid}.json,
its Media, Calls.json, Calls/{sid}.json, Recordings/{sid}.json and .wav.

Control interface
=================
Under /phone/api, without a password, JSON in (content type application/json) and out. Only loopback host
names and the phone's own page are let in. Mistakes: 400 with {"error": "one sentence"}; 404 for an unknown
call; 409 when a call has ended or does not ring. `since` takes the `rev` of an earlier answer and leaves
out what did not change.

Texts
-----
POST /messages            {"from": "+12025550123", "body": "hi", "media": [{"content_type", "data"}]?,
                           "wait": true?}
    201 {"message": M, "answered": bool, "replies": [M], "entries": [D]}. Waits (up to 20 s)
    until the line answered the webhook; replies are then queued, not yet delivered. With "wait": false
    only "message" is there, at once. `data` is base64; without it a picture of one pixel is sent. At most
    1600 characters, no NUL, not empty.
GET  /messages?since=REV  {"messages": [M], "rev": n}: every handset, at most 1000, in the order of change.
    Ask again with the last `rev` until "messages" is empty to have all.
GET  /handsets/{number}/messages?since=REV   {"messages": [M], "rev": n, "blocked": bool}
GET  /handsets            {"handsets": [{"number", "blocked", "model", "last": M | null}]}
PUT  /handsets/{number}   how this handset behaves from now on; keys not given stay. {"number", "model"}
    {"delivery": {"outcome": "deliver" | "sent" | "fail", "code": 30003, "sent_after": s, "done_after": s},
     "call": {"answer": "ask" | "human" | "machine" | "fax" | "unknown" | "busy" | "no-answer" | "failed",
              "after": s},
     "pace": "real" | "hand"}   (`pace` of calls to this handset)
PUT  /carrier             {"delivery": {...}}: the same for handsets that have no model of their own.
M = {"sid", "rev", "direction": "inbound" | "outbound-api" | "outbound-reply", "from", "to",
     "body", "status", "segments", "media": [{"url", "content_type"}], "error_code", "error", "by_carrier",
     "at", "changed"}
    Directions are the line's: "inbound" is what the handset sent. `by_carrier` marks answers to STOP,
    START, HELP.

Calls
-----
POST /calls               {"from": "+1…" | "anonymous", "pace": "hand"?, "hidden": false?}    201 C
    By "hand" (the default) no time passes by itself: words are said at once, and the line waits until
    something is done. By "real" words take their time and timeouts run out, as on the page. `hidden` shows
    the line "anonymous".
GET  /calls?handset=NUMBER&active=1    {"calls": [C]} of this run, oldest first
GET  /calls/{sid}                      C, also of earlier runs
GET  /calls/{sid}/text                 the call as plain text, a line for each thing heard or done
POST /calls/{sid}/press    {"digits": "1"}                        keys 0-9 * #, one after the other
POST /calls/{sid}/speak    {"text": "…", "confidence": 0.9?}      null leaves the confidence out
POST /calls/{sid}/silence  {}    nothing is heard until the line stops waiting (its timeout is over)
POST /calls/{sid}/skip     {}    the words are skipped until the line listens (pace "real")
POST /calls/{sid}/hangup   {}
POST /calls/{sid}/answer   {"by": "human" | "machine" | "fax" | "unknown"}?    a call from the line, or a leg
                           of <Dial>; who it was is told to a line that asked for MachineDetection
POST /calls/{sid}/decline  {}
    Each answers when the call stands still again (the line was asked and answered), with C and
    "said": [text] what the line said since, "settled": bool (false after 20 s of waiting).
C = {"sid", "direction": "inbound" | "outbound-api" | "outbound-dial", "from", "to", "parent",
     "legs": [sid], "status", "phase", "pace", "ended": bool, "answered": bool, "answered_by", "seconds",
     "duration", "at",
     "waiting": {"phase", "seconds", "digits", and while listening or prompting for it: "inputs": ["dtmf",
                 "speech"], "timeout", "num_digits", "finish_on_key", "hints", "language"} | null,
     "lines": [{"n", "at": seconds, "kind", "text", "language", "voice"}]}
    phase: ringing connecting speaking pausing listening recording dialling bridged ended
    kind: say play beep tones (the line), keys speech silence (the handset), note error end

Complaints
----------
GET    /debugger?since=ID   {"entries": [D], "latest": id}    what the carrier found wrong
DELETE /debugger            empties it
D = {"id", "at", "code", "level", "message", "detail", "url", "sid"}

Runs
----
PUT    /faults   these faults from now on, instead of earlier ones, all counters from 0:
    {"seed": 7, "latency": seconds, NAME: p, NAME: {"p": p, PARAMETER: value}}, p from 0 to 1
GET    /faults   {"faults": as set, "struck": {NAME: n}, "creates": n}
DELETE /faults   ends them; the counts stay, and what was already delayed or held back still comes
    They strike creates (texts and calls), status callbacks and inbound webhooks, never this interface. The
    decision depends on seed, recipient, words and the how-manieth time; too_many on the how-manieth create.
    not accepted, nothing is stored:
      refuse              the connection is reset without an answer
      too_many            429 to this create and the next: {"in_a_row": 5}
      error_before        {"status": 503}
    accepted, whatever the client sees (of these two at most one strikes):
      error_after         the answer is an error: {"status": 500}
      drop_after          the connection ends without an answer
    accepted, and beside any of the above:
      slow                the answer comes late: {"seconds": 3}
      list_lag            lists show it late, fetching by its sid works: {"seconds": 5}
      callback_early      the first status callback is posted before the answer
      unreachable         afterwards DEVPHONE_API_PORT refuses connections: {"seconds": 1}
    status callbacks (of texts; of calls too but for reordered):
      callback_lost, callback_doubled {"seconds": 0.2 between}, callback_delayed {"seconds": 3},
      callback_reordered  posted after that of the last status, but at most {"seconds": 10} late
    inbound texts and steps of calls:
      webhook_twice       posted twice, {"at_once": true} at the same time; only one answer is carried out
    `latency` is no fault: each answer of the REST interface takes at least so long (0.05: a benchmark's
    carrier).
GET    /ledger   JSON lines, for any number of messages. First {"counts": {direction: {status: n}}}, then each
    text the line asked for, oldest first: {"ref": `ref` in the query of its StatusCallback | null, "to",
    "sid", "status", "created"}. A `ref` that comes twice was sent twice.

Others: GET /info {"number", "line_url", "default_handset"}; GET /handsets/{number}/poll, for the page.

The page at /
=============
Field "Your number", box "Message", buttons "Send", "Call", "Hang up", "Answer", "Decline", "Leave it to the
machine", screens "Texts" and "Keypad", keys named by their digit, box "Say something" with the button "Say",
button "Skip words", switches "Read aloud" and "Hide my number".
"""
