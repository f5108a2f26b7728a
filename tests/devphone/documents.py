"""What the tests of calls write and read: TwiML documents, and what the line was asked."""


def xml(text):
    return f"<Response>{text}</Response>"


def asked_for(line, path="/voice/menu"):
    return line.at(path)[-1].form
