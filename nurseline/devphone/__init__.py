"""A local stand-in for Twilio with a phone in the browser."""
