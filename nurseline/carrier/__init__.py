"""All that knows Twilio: signatures, TwiML, the REST gateway, the table of error codes."""
